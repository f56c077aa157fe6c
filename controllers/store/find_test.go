package store

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func labelled(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}
}

func TestIndexesFollowPutsMovesAndDeletions(t *testing.T) {
	gatewayTarget := model.TargetRef{Group: gatewayv1.GroupName, Kind: "Gateway", Namespace: "a", Name: "g"}
	use := map[string]string{extv1.LabelUseWaypoint: "w", extv1.LabelUseWaypointNamespace: "infra"}
	w, secret := nn("infra", "w"), nn("certs", "tls")
	service := model.ServiceKey{Kind: "Service", Namespace: "b", Name: "s"}
	entry := model.ServiceKey{Kind: "ServiceEntry", Namespace: "a", Name: "e"}
	other := gatewayv1.Namespace("b")
	certs := gatewayv1.Namespace("certs")
	serviceEntryGroup, serviceEntryKind := gatewayv1.Group(networkingv1.GroupName), gatewayv1.Kind("ServiceEntry")

	route := &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")}
	route.Spec.ParentRefs = []gatewayv1.ParentReference{
		{Name: "g"}, {Group: &serviceEntryGroup, Kind: &serviceEntryKind, Name: "e"},
	}
	backend := gatewayv1.BackendObjectReference{Namespace: &other, Name: "s"}
	route.Spec.Rules = []gatewayv1.HTTPRouteRule{
		{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: backend}}}},
		{Filters: []gatewayv1.HTTPRouteFilter{{RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{BackendRef: gatewayv1.BackendObjectReference{Name: "mirror"}}}}},
	}
	gateway := &gatewayv1.Gateway{ObjectMeta: meta("a", "x"), Spec: gatewayv1.GatewaySpec{
		GatewayClassName: "c",
		Listeners: []gatewayv1.Listener{{TLS: &gatewayv1.ListenerTLSConfig{
			CertificateRefs: []gatewayv1.SecretObjectReference{{Namespace: &certs, Name: "tls"}},
		}}, {Name: "plain"}},
	}}
	withSecret := plugin("a", "x")
	withSecret.Wasm = &model.Wasm{PullSecret: "pull"}

	for _, c := range []struct {
		why         string
		full, empty any // two versions of one object: only the first is found
		find        func(*Store) int
	}{
		{"plugins by target", plugin("a", "x", gatewayTarget, gatewayTarget), plugin("a", "x"), func(s *Store) int { return len(s.PluginsTargeting(gatewayTarget)) }},
		{"untargeted plugins", plugin("a", "x"), plugin("a", "x", gatewayTarget), func(s *Store) int { return len(s.UntargetedPlugins("a")) }},
		{"plugins by pull secret", withSecret, plugin("a", "x"), func(s *Store) int { return len(s.PluginsUsingSecret(nn("a", "pull"))) }},
		{"Gateways by class", gateway, &gatewayv1.Gateway{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.GatewaysOfClass("c")) }},
		{"Gateways by Secret", gateway, &gatewayv1.Gateway{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.GatewaysUsingSecret(secret)) }},
		{"Gateways by the Secret's namespace", gateway, &gatewayv1.Gateway{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.GatewaysUsingSecretsIn("certs")) }},
		{
			"Services by own label", &corev1.Service{ObjectMeta: labelled("a", "x", use)}, &corev1.Service{ObjectMeta: meta("a", "x")},
			func(s *Store) int { return len(s.ServicesUsing(w)) },
		},
		{
			"ServiceEntries by own label", &networkingv1.ServiceEntry{ObjectMeta: labelled("a", "x", use)}, &networkingv1.ServiceEntry{ObjectMeta: meta("a", "x")},
			func(s *Store) int { return len(s.ServiceEntriesUsing(w)) },
		},
		{
			"Namespaces by label", &corev1.Namespace{ObjectMeta: labelled("", "x", use)}, &corev1.Namespace{ObjectMeta: meta("", "x")},
			func(s *Store) int { return len(s.NamespacesUsing(w)) },
		},
		{"routes by parent Gateway", route, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.RoutesOfGateway(nn("a", "g"))) }},
		{"routes by parent ServiceEntry", route, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.RoutesOfService(entry)) }},
		{"routes by backend", route, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.RoutesToService(service)) }},
		{
			"routes by mirror", route, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")},
			func(s *Store) int {
				return len(s.RoutesToService(model.ServiceKey{Kind: "Service", Namespace: "a", Name: "mirror"}))
			},
		},
		{"routes by the backend's namespace", route, &gatewayv1.HTTPRoute{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.RoutesToNamespace("b")) }},
		{
			"slices by Service", &discoveryv1.EndpointSlice{ObjectMeta: labelled("a", "x", map[string]string{discoveryv1.LabelServiceName: "s"})},
			&discoveryv1.EndpointSlice{ObjectMeta: meta("a", "x")}, func(s *Store) int { return len(s.SlicesOfService(nn("a", "s"))) },
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := New()
			ref, err := RefOf(c.full)
			if err != nil {
				t.Fatal(err)
			}
			for step, want := range []int{1, 0, 1, 0} {
				switch step {
				case 0, 2:
					putAll(t, s, c.full)
				case 1:
					putAll(t, s, c.empty)
				case 3:
					s.Delete(ref)
				}
				if got := c.find(s); got != want {
					t.Errorf("step %d: found %d, want %d", step, got, want)
				}
			}
		})
	}
}

func TestUseWaypointLabels(t *testing.T) {
	const use, in = extv1.LabelUseWaypoint, extv1.LabelUseWaypointNamespace
	for _, c := range []struct {
		why    string
		labels map[string]string
		want   WaypointLabel
	}{
		{"no label says nothing", nil, WaypointLabel{}},
		{"a name is in the own namespace", map[string]string{use: "w"}, WaypointLabel{Set: true, Gateway: nn("own", "w")}},
		{"the second label moves it", map[string]string{use: "w", in: "infra"}, WaypointLabel{Set: true, Gateway: nn("infra", "w")}},
		{"none opts out", map[string]string{use: "none", in: "infra"}, WaypointLabel{Set: true, None: true}},
		{"None too", map[string]string{use: "None"}, WaypointLabel{Set: true, None: true}},
		{"the second label alone says nothing", map[string]string{in: "infra"}, WaypointLabel{}},
		{"an empty name is a label", map[string]string{use: ""}, WaypointLabel{Set: true, Gateway: nn("own", "")}},
		{"an empty namespace too", map[string]string{use: "w", in: ""}, WaypointLabel{Set: true, Gateway: nn("", "w")}},
	} {
		if got := ParseWaypointLabel(c.labels, "own"); got != c.want {
			t.Errorf("%s: got %+v", c.why, got)
		}
	}
}
