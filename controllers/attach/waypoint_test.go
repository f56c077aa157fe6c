package attach

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

func TestAGatewayIsAWaypointByWhatItIs(t *testing.T) {
	annotated := func(text string) *gatewayv1.Gateway {
		return with(gateway("g", "custom", "http:80:HTTP"), func(g *gatewayv1.Gateway) {
			g.Annotations[extv1.AnnotationInboundBinding] = text
		})
	}
	annotatedClass := with(class("custom"), func(c *gatewayv1.GatewayClass) {
		c.Annotations[extv1.AnnotationInboundBinding] = "PROXY/15088"
	})
	for _, c := range []struct {
		why     string
		gateway *gatewayv1.Gateway
		others  []any
		want    bool
	}{
		{"an HTTP listener makes no waypoint", gateway("g", "custom", "http:80:HTTP"), nil, false},
		{"the annotation does", annotated("PROXY/15088"), nil, true},
		{"also without a port", annotated("PROXY"), nil, true},
		{"also NONE, Istio's other protocol", annotated("NONE"), nil, true},
		{"an annotation that cannot be read does not", annotated("QUIC/1"), nil, false},
		{"nor one with a port out of range", annotated("PROXY/70000"), nil, false},
		{"nor one with port 0", annotated("PROXY/0"), nil, false},
		{"the annotation on the class does", gateway("g", "custom"), []any{annotatedClass}, true},
		{"the Gateway's own annotation wins over its class's", annotated("QUIC"), []any{annotatedClass}, false},
		{"a listener HBONE on 15008 does", gateway("g", "custom", "mesh:15008:HBONE"), nil, true},
		{"HBONE on another port does not", gateway("g", "custom", "mesh:15009:HBONE"), nil, false},
		{"a listener istio.io/PROXY does", gateway("g", "custom", "mesh:15088:istio.io/PROXY"), nil, true},
		{"the class istio-waypoint does", gateway("g", ClassIstioWaypoint), nil, true},
		{"our class does, without a GatewayClass object", gateway("g", extv1.ClassWaypoint), nil, true},
		{"our ingress class does not", gateway("g", extv1.ClassIngress), nil, false},
	} {
		r := world(t, append(c.others, c.gateway)...)
		if got := r.IsWaypoint(c.gateway); got != c.want {
			t.Errorf("%s: got %v", c.why, got)
		}
	}
}

func TestOurWaypointClassIsBoundToPROXYOnPort15088WithoutAClassObject(t *testing.T) {
	g := waypoint("w")
	if got, ok := world(t, g).InboundBinding(g); !ok || got != (Inbound{"PROXY", 15088}) {
		t.Errorf("got %v %v", got, ok)
	}
}

func TestAnAliasHasTheMeaningOfItsClass(t *testing.T) {
	g := gateway("w", "my-waypoints")
	r := world(t, g)
	if r.IsWaypoint(g) {
		t.Error("a waypoint without the alias")
	}
	r.ClassAliases = map[string]string{"my-waypoints": extv1.ClassWaypoint}
	if got, ok := r.InboundBinding(g); !r.IsWaypoint(g) || !ok || got.Port != 15088 {
		t.Errorf("no waypoint with the alias: %v %v", got, ok)
	}
}

func TestTheMeshListenerIsTheOneOfTheBindingElseHBONEElsePROXY(t *testing.T) {
	for _, c := range []struct {
		why, binding string
		listeners    []string
		want         string
	}{
		{"the port of the binding", "PROXY/15088", []string{"a:15008:HBONE", "b:15088:istio.io/PROXY"}, "b"},
		{"HBONE if no listener has that port", "PROXY/15088", []string{"a:15008:HBONE", "b:15089:istio.io/PROXY"}, "a"},
		{"PROXY without a port is the protocol istio.io/PROXY", "PROXY", []string{"a:15008:HBONE", "b:1:istio.io/PROXY"}, "b"},
		{"NONE without a port is HBONE", "NONE", []string{"b:1:istio.io/PROXY", "a:15008:HBONE"}, "a"},
		{"without a binding HBONE", "", []string{"b:1:istio.io/PROXY", "a:15008:HBONE"}, "a"},
		{"without a binding and HBONE the PROXY listener", "", []string{"x:80:HTTP", "b:1:istio.io/PROXY"}, "b"},
		{"no such listener", "", []string{"x:80:HTTP"}, ""},
	} {
		g := gateway("g", "custom", c.listeners...)
		if c.binding != "" {
			g.Annotations[extv1.AnnotationInboundBinding] = c.binding
		}
		got := ""
		if l := world(t, g).MeshListener(g); l != nil {
			got = string(l.Name)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}
