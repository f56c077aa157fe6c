package attach

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

func TestAnIngressGatewayHasOnePlacePerPort(t *testing.T) {
	g := gateway("g", extv1.ClassIngress, "s1:443:HTTPS", "h:80:HTTP", "s2:443:HTTPS")
	places := world(t, g).Places(g)
	if len(places) != 2 || places[0].Port != 80 || places[1].Port != 443 {
		t.Fatalf("got %+v", places)
	}
	if !slices.Equal(places[1].Listeners, []string{"s1", "s2"}) {
		t.Errorf("listeners of port 443 are %v", places[1].Listeners)
	}
}

func TestTheProtocolOfAListenerDecidesItsSlots(t *testing.T) {
	passthrough := gateway("g", extv1.ClassIngress, "s:443:HTTPS")
	mode := gatewayv1.TLSModePassthrough
	passthrough.Spec.Listeners[0].TLS = &gatewayv1.ListenerTLSConfig{Mode: &mode}
	terminate := gateway("g", extv1.ClassIngress, "s:443:HTTPS")
	terminated := gatewayv1.TLSModeTerminate
	terminate.Spec.Listeners[0].TLS = &gatewayv1.ListenerTLSConfig{Mode: &terminated}
	for _, c := range []struct {
		why     string
		gateway *gatewayv1.Gateway
		want    []string
	}{
		{"HTTP has both", gateway("g", "c", "l:80:HTTP"), []string{"default/g:80 http[] network[]"}},
		{"HTTPS has both", gateway("g", "c", "l:443:HTTPS"), []string{"default/g:443 http[] network[]"}},
		{"HTTPS with terminated TLS has both", terminate, []string{"default/g:443 http[] network[]"}},
		{"TLS that is passed through has network slots", passthrough, []string{"default/g:443 network[]"}},
		{"TLS has network slots", gateway("g", "c", "l:443:TLS"), []string{"default/g:443 network[]"}},
		{"TCP has network slots", gateway("g", "c", "l:90:TCP"), []string{"default/g:90 network[]"}},
		{"UDP has none", gateway("g", "c", "l:53:UDP"), nil},
		{"an unknown protocol has none", gateway("g", "c", "l:1:example.com/x"), nil},
		{"a port with HTTPS and TLS has both", gateway("g", "c", "a:443:TLS", "b:443:HTTPS"), []string{"default/g:443 http[] network[]"}},
		{"in any order", gateway("g", "c", "b:443:HTTPS", "a:443:TLS"), []string{"default/g:443 http[] network[]"}},
		{"UDP beside TCP on one port does not count", gateway("g", "c", "u:53:UDP", "t:53:TCP"), []string{"default/g:53 network[]"}},
	} {
		t.Run(c.why, func(t *testing.T) { wantPlaces(t, world(t, c.gateway), c.want...) })
	}
}

func TestAWaypointHasOnePlacePerPortOfEveryBoundService(t *testing.T) {
	w := waypoint("infra/w")
	admitting(w, gatewayv1.NamespacesFromAll, nil)
	udp := svc("b/dns", []string{"dns:53", "http:80"}, uses("w"), extv1.LabelUseWaypointNamespace+"=infra")
	udp.Spec.Ports[0].Protocol = corev1.ProtocolUDP
	wantPlaces(t, world(t, w, udp,
		svc("infra/web", []string{"https:443", "http:80", "mysql:3306"}, uses("w")),
		svc("infra/other", http80),
		entry("infra/web", []string{"tls:443"}, uses("w")),
		namespace("a", uses("w"), extv1.LabelUseWaypointNamespace+"=infra"),
		svc("a/in-namespace", http80),
		svc("a/opted-out", http80, uses("none")),
	),
		"infra/w Service a/in-namespace:80 http[]",
		"infra/w Service b/dns:80 http[]",
		"infra/w Service infra/web:80 http[]",
		"infra/w Service infra/web:443 network[]",
		"infra/w Service infra/web:3306 network[]",
		"infra/w ServiceEntry infra/web:443 network[]",
	)
}

func TestAWaypointPlaceNamesTheMeshListener(t *testing.T) {
	w := waypoint("w")
	places := world(t, w, svc("web", http80, uses("w"))).Places(w)
	if len(places) != 1 || !slices.Equal(places[0].Listeners, []string{"mesh"}) || !places[0].Waypoint {
		t.Errorf("got %+v", places)
	}
	w = gateway("w", extv1.ClassWaypoint)
	places = world(t, w, svc("web", http80, uses("w"))).Places(w)
	if len(places) != 1 || len(places[0].Listeners) != 0 {
		t.Errorf("without a mesh listener: got %+v", places)
	}
}

func TestOfTwoPortsWithOneNumberTheFirstThatIsNotUDPCounts(t *testing.T) {
	s := svc("web", []string{"dns:53", "http-dns:53"}, uses("w"))
	s.Spec.Ports[0].Protocol = corev1.ProtocolUDP
	wantPlaces(t, world(t, waypoint("w"), s), "default/w Service default/web:53 http[]")
}
