package attach

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

var (
	http80   = []string{"http:80"}
	shopWeb  = model.ServiceKey{Kind: "Service", Namespace: "shop", Name: "web"}
	shopWeb2 = model.ServiceKey{Kind: "ServiceEntry", Namespace: "shop", Name: "web"}
)

func admitting(g *gatewayv1.Gateway, from gatewayv1.FromNamespaces, labels map[string]string) *gatewayv1.Gateway {
	namespaces := &gatewayv1.RouteNamespaces{From: &from}
	if labels != nil {
		namespaces.Selector = &metav1.LabelSelector{MatchLabels: labels}
	}
	for i := range g.Spec.Listeners {
		g.Spec.Listeners[i].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: namespaces}
	}
	return g
}

func labelled[T metav1.Object](object T, key, value string) T {
	labels := object.GetLabels()
	labels[key] = value
	object.SetLabels(labels)
	return object
}

func TestTheWaypointOfAService(t *testing.T) {
	all := func(text string) *gatewayv1.Gateway {
		return admitting(waypoint(text), gatewayv1.NamespacesFromAll, nil)
	}
	const otherNS = extv1.LabelUseWaypointNamespace + "=infra"
	for _, c := range []struct {
		why             string
		objects         []any
		reason, message string // or "" and the waypoint
	}{
		{
			"a Service without label uses no waypoint", []any{svc("shop/web", http80), waypoint("shop/w")},
			extv1.ReasonNoWaypoint,
			"Service shop/web uses no waypoint; set the label istio.io/use-waypoint on it or on Namespace shop",
		},
		{"its own label names a waypoint of its namespace", []any{svc("shop/web", http80, uses("w")), waypoint("shop/w")}, "", "shop/w"},
		{
			"the namespace label moves it elsewhere",
			[]any{svc("shop/web", http80, uses("w"), otherNS), waypoint("shop/w"), all("infra/w")}, "", "infra/w",
		},
		{
			"the namespace label alone means nothing",
			[]any{svc("shop/web", http80, otherNS), namespace("shop", uses("w")), waypoint("shop/w"), all("infra/w")}, "", "shop/w",
		},
		{"without its own label the Namespace's counts", []any{svc("shop/web", http80), namespace("shop", uses("w")), waypoint("shop/w")}, "", "shop/w"},
		{
			"with the Namespace's own override",
			[]any{svc("shop/web", http80), namespace("shop", uses("w"), otherNS), all("infra/w"), waypoint("shop/w")}, "", "infra/w",
		},
		{
			"its own label beats the Namespace's, the whole reference",
			[]any{svc("shop/web", http80, uses("own")), namespace("shop", uses("w"), otherNS), waypoint("shop/own"), all("infra/w")},
			"", "shop/own",
		},
		{
			"there is no fall-back to the Namespace's waypoint",
			[]any{svc("shop/web", http80, uses("gone")), namespace("shop", uses("w")), waypoint("shop/w")},
			extv1.ReasonWaypointNotFound,
			"Service shop/web names waypoint shop/gone, which does not exist; create that Gateway, or correct the label istio.io/use-waypoint",
		},
		{
			"none opts out of the Namespace's waypoint",
			[]any{svc("shop/web", http80, uses("none")), namespace("shop", uses("w")), waypoint("shop/w")},
			extv1.ReasonNoWaypoint,
			"Service shop/web opts out of waypoints with istio.io/use-waypoint=none; set the label on Service shop/web to the name of a waypoint",
		},
		{
			"none in any case", []any{svc("shop/web", http80, uses("None")), namespace("shop", uses("w")), waypoint("shop/w")},
			extv1.ReasonNoWaypoint,
			"Service shop/web opts out of waypoints with istio.io/use-waypoint=none; set the label on Service shop/web to the name of a waypoint",
		},
		{
			"none on the Namespace", []any{svc("shop/web", http80), namespace("shop", uses("none"))},
			extv1.ReasonNoWaypoint,
			"Namespace shop opts out of waypoints with istio.io/use-waypoint=none; set the label on Service shop/web to the name of a waypoint",
		},
		{
			"an empty value is a label that names nothing", []any{svc("shop/web", http80, uses("")), namespace("shop", uses("w")), waypoint("shop/w")},
			extv1.ReasonWaypointNotFound,
			"Service shop/web has an empty label istio.io/use-waypoint or istio.io/use-waypoint-namespace, which names no waypoint, " +
				"and no other label counts beside it; write a name into it, or remove it",
		},
		{
			"a Gateway that is no waypoint", []any{svc("shop/web", http80, uses("w")), ingress("shop/w")},
			extv1.ReasonWaypointNotFound,
			"Service shop/web names Gateway shop/w, which is not a waypoint; give it the gatewayClassName wasmpoint-waypoint, " +
				"or name a waypoint in the label istio.io/use-waypoint",
		},
		{
			"another namespace is not admitted without allowedRoutes",
			[]any{svc("shop/web", http80, uses("w"), otherNS), waypoint("infra/w")},
			extv1.ReasonAttachmentDenied,
			"Waypoint infra/w does not admit namespace shop; its owner can allow it with allowedRoutes.namespaces of listener mesh",
		},
		{
			"nor without a mesh listener at all",
			[]any{svc("shop/web", http80, uses("w"), otherNS), gateway("infra/w", extv1.ClassWaypoint)},
			extv1.ReasonAttachmentDenied,
			"Waypoint infra/w does not admit namespace shop; its owner can allow it with a listener HBONE on port 15008 with allowedRoutes.namespaces",
		},
		{
			"nor with Same",
			[]any{svc("shop/web", http80, uses("w"), otherNS), admitting(waypoint("infra/w"), gatewayv1.NamespacesFromSame, nil)},
			extv1.ReasonAttachmentDenied,
			"Waypoint infra/w does not admit namespace shop; its owner can allow it with allowedRoutes.namespaces of listener mesh",
		},
		{
			"a selector admits a namespace with its labels",
			[]any{
				svc("shop/web", http80, uses("w"), otherNS), namespace("shop", "team=red"),
				admitting(waypoint("infra/w"), gatewayv1.NamespacesFromSelector, map[string]string{"team": "red"}),
			}, "", "infra/w",
		},
		{
			"and the name label that every Namespace carries, also without a Namespace object",
			[]any{
				svc("shop/web", http80, uses("w"), otherNS),
				admitting(waypoint("infra/w"), gatewayv1.NamespacesFromSelector, map[string]string{"kubernetes.io/metadata.name": "shop"}),
			}, "", "infra/w",
		},
		{
			"a selector refuses others, also the waypoint's own namespace",
			[]any{
				svc("shop/web", http80, uses("w")),
				admitting(waypoint("shop/w"), gatewayv1.NamespacesFromSelector, map[string]string{"team": "red"}),
			}, extv1.ReasonAttachmentDenied,
			"Waypoint shop/w does not admit namespace shop; its owner can allow it with allowedRoutes.namespaces of listener mesh",
		},
		{
			"a missing selector selects nothing",
			[]any{svc("shop/web", http80, uses("w")), admitting(waypoint("shop/w"), gatewayv1.NamespacesFromSelector, nil)},
			extv1.ReasonAttachmentDenied,
			"Waypoint shop/w does not admit namespace shop; its owner can allow it with allowedRoutes.namespaces of listener mesh",
		},
		{
			"a waypoint for workloads takes no Services",
			[]any{svc("shop/web", http80, uses("w")), labelled(waypoint("shop/w"), extv1.LabelWaypointFor, "workload")},
			extv1.ReasonUnsupportedTrafficType,
			"Waypoint shop/w takes no traffic to Services (istio.io/waypoint-for=workload); set that label to service or all",
		},
		{"one for all does", []any{svc("shop/web", http80, uses("w")), labelled(waypoint("shop/w"), extv1.LabelWaypointFor, "all")}, "", "shop/w"},
		{
			"the class's label counts where the Gateway has none",
			[]any{svc("shop/web", http80, uses("w")), waypoint("shop/w"), labelled(class(extv1.ClassWaypoint), extv1.LabelWaypointFor, "none")},
			extv1.ReasonUnsupportedTrafficType,
			"Waypoint shop/w takes no traffic to Services (istio.io/waypoint-for=none); set that label to service or all",
		},
		{
			"the Gateway's label beats the class's",
			[]any{
				svc("shop/web", http80, uses("w")), labelled(waypoint("shop/w"), extv1.LabelWaypointFor, "service"),
				labelled(class(extv1.ClassWaypoint), extv1.LabelWaypointFor, "none"),
			}, "", "shop/w",
		},
		{
			"the Service of a waypoint uses none",
			[]any{svc("shop/web", http80, uses("w"), extv1.LabelGatewayManaged+"=istio.io-mesh-controller"), waypoint("shop/w")},
			extv1.ReasonNoWaypoint,
			"Service shop/web belongs to a gateway (label gateway.istio.io/managed=istio.io-mesh-controller) and never uses a waypoint; target the Gateway itself",
		},
		{
			"the Service of an ingress gateway may",
			[]any{svc("shop/web", http80, uses("w"), extv1.LabelGatewayManaged+"=istio.io-gateway-controller"), waypoint("shop/w")}, "", "shop/w",
		},
		{
			"an ExternalName Service uses none",
			[]any{with(svc("shop/web", http80, uses("w")), func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }), waypoint("shop/w")},
			extv1.ReasonTargetHasNoPorts,
			"Service shop/web has type ExternalName, so no connection goes to it; target a Service with a cluster IP, or a ServiceEntry for the external host",
		},
		{
			"a Service that is not there", nil, extv1.ReasonTargetNotFound,
			"Service shop/web does not exist; create it, or correct the name in targetRefs",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			checkBinding(t, world(t, c.objects...).Binding(shopWeb), c.reason, c.message)
		})
	}
}

func TestAServiceEntryForItsOwnNamespaceUsesNoWaypointOfAnother(t *testing.T) {
	private := func(exportTo ...string) *networkingv1.ServiceEntry {
		return with(entry("shop/web", http80, uses("w"), extv1.LabelUseWaypointNamespace+"=infra"),
			func(e *networkingv1.ServiceEntry) { e.Spec.ExportTo = exportTo })
	}
	shared := admitting(waypoint("infra/w"), gatewayv1.NamespacesFromAll, nil)
	const denied = "ServiceEntry shop/web is exported to its own namespace only (spec.exportTo), so it cannot use waypoint " +
		"infra/w of another namespace; export it, or use a waypoint in shop"
	checkBinding(t, world(t, private("."), shared).Binding(shopWeb2), extv1.ReasonAttachmentDenied, denied)
	checkBinding(t, world(t, private("shop"), shared).Binding(shopWeb2), extv1.ReasonAttachmentDenied, denied)
	checkBinding(t, world(t, private(".", "*"), shared).Binding(shopWeb2), "", "infra/w")
	checkBinding(t, world(t, private(), shared).Binding(shopWeb2), "", "infra/w")

	own := with(private("."), func(e *networkingv1.ServiceEntry) { delete(e.Labels, extv1.LabelUseWaypointNamespace) })
	checkBinding(t, world(t, own, waypoint("shop/w")).Binding(shopWeb2), "", "shop/w")
}

func checkBinding(t *testing.T, got Binding, reason, message string) {
	t.Helper()
	if reason == "" {
		if !got.Bound() || got.Waypoint.String() != message {
			t.Errorf("got %+v, want bound to %s", got, message)
		}
		return
	}
	if got.Bound() || got.Reason != reason || got.Message != message {
		t.Errorf("got  %s: %s\nwant %s: %s", got.Reason, got.Message, reason, message)
	}
}

func TestAStatusAddressIsNotAskedFor(t *testing.T) {
	r := world(t, svc("shop/web", http80, uses("w")), waypoint("shop/w")) // Its status is empty.
	checkBinding(t, r.Binding(shopWeb), "", "shop/w")
}
