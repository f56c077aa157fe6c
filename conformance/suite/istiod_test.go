package suite

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestTheMeshSendsTrafficWhereTheObjectsSay(t *testing.T) {
	all := gatewayv1.NamespacesFromAll
	waypoint := func(change func(*gatewayv1.Gateway)) *gatewayv1.Gateway {
		g := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "way"}}
		g.Spec.GatewayClassName = "ours"
		g.Spec.Listeners = []gatewayv1.Listener{{Name: "mesh", Protocol: "HBONE", Port: 15008}}
		g.Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &all}}
		g.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: "10.0.0.1"}}
		change(g)
		return g
	}
	asIs := func(*gatewayv1.Gateway) {}
	there := map[string]string{"istio.io/use-waypoint": "way", "istio.io/use-waypoint-namespace": "infra"}
	for name, is := range map[string]struct {
		service, namespace map[string]string
		gateway            *gatewayv1.Gateway
		private            bool
		want               string
	}{
		"the Service's own label":                {service: there, gateway: waypoint(asIs), want: "10.0.0.1:15088"},
		"the Namespace's label":                  {namespace: there, gateway: waypoint(asIs), want: "10.0.0.1:15088"},
		"no label":                               {gateway: waypoint(asIs)},
		"none goes before the Namespace's label": {service: map[string]string{"istio.io/use-waypoint": "none"}, namespace: there, gateway: waypoint(asIs)},
		"a missing waypoint goes before the Namespace's label": {
			service: map[string]string{"istio.io/use-waypoint": "nobody"}, namespace: there, gateway: waypoint(asIs),
		},
		"an empty label goes before the Namespace's": {service: map[string]string{"istio.io/use-waypoint": ""}, namespace: there, gateway: waypoint(asIs)},
		"without an address":                         {service: there, gateway: waypoint(func(g *gatewayv1.Gateway) { g.Status.Addresses = nil })},
		"not admitted":                               {service: there, gateway: waypoint(func(g *gatewayv1.Gateway) { g.Spec.Listeners[0].AllowedRoutes = nil })},
		"for workloads alone": {
			service: there, gateway: waypoint(func(g *gatewayv1.Gateway) { g.Labels = map[string]string{"istio.io/waypoint-for": "workload"} }),
		},
		"another port": {
			service: there, want: "10.0.0.1:15099",
			gateway: waypoint(func(g *gatewayv1.Gateway) {
				g.Annotations = map[string]string{"ambient.istio.io/waypoint-inbound-binding": "PROXY/15099"}
			}),
		},
		"the Service of a gateway": {
			service: map[string]string{"gateway.istio.io/managed": "istio.io-mesh-controller"}, namespace: there, gateway: waypoint(asIs),
		},
		"a private ServiceEntry": {service: there, gateway: waypoint(asIs), private: true},
	} {
		t.Run(name, func(t *testing.T) {
			class := &gatewayv1.GatewayClass{}
			class.Annotations = map[string]string{"ambient.istio.io/waypoint-inbound-binding": "PROXY/15088"}
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: is.namespace}}
			v := view{
				map[string]*corev1.Namespace{"shop": namespace}, map[string]*gatewayv1.GatewayClass{"ours": class},
				map[types.NamespacedName]*gatewayv1.Gateway{{Namespace: "infra", Name: "way"}: is.gateway},
			}
			y, got := v.way(metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: is.service}, is.private), ""
			if y.ip != "" {
				got = y.address()
			}
			if got != is.want {
				t.Errorf("got %q, want %q", got, is.want)
			}
		})
	}
}
