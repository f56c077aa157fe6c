package engine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func TestAServiceSaysWhetherTheMeshTakesItsTrafficToItsWaypoint(t *testing.T) {
	labelled := func(waypoint string, change func(*corev1.Service)) *corev1.Service {
		s := service("default", "web", map[string]string{"istio.io/use-waypoint": waypoint}, port("http", 80))
		change(s)
		return s
	}
	asIs := func(*corev1.Service) {}
	for name, is := range map[string]struct {
		service *corev1.Service
		want    string // a reason, "bound", or "nothing"
	}{
		"bound":                            {labelled("way", asIs), "bound"},
		"a waypoint without an address":    {labelled("new", asIs), extv1.ReasonWaypointIsNotReady},
		"a waypoint that does not exist":   {labelled("nobody", asIs), extv1.ReasonWaypointNotFound},
		"a Gateway that is no waypoint":    {labelled("edge", asIs), extv1.ReasonWaypointNotFound},
		"somebody else's ingress Gateway":  {labelled("foreign-edge", asIs), extv1.ReasonWaypointNotFound},
		"somebody else's waypoint":         {labelled("foreign", asIs), "nothing"},
		"a waypoint for workloads alone":   {labelled("pods", asIs), extv1.ReasonUnsupportedTrafficType},
		"headless":                         {labelled("way", func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }), extv1.ReasonTargetHasNoPorts},
		"a name in DNS":                    {labelled("way", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }), "nothing"},
		"no label":                         {service("default", "web", nil, port("http", 80)), "nothing"},
		"an empty label":                   {labelled("", asIs), extv1.ReasonWaypointNotFound},
		"opted out":                        {labelled("none", asIs), "nothing"},
		"the Service of a waypoint itself": {labelled("way", func(s *corev1.Service) { s.Labels[extv1.LabelGatewayManaged] = "istio.io-mesh-controller" }), "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ready := func(name, class string, l gatewayv1.Listener) *gatewayv1.Gateway {
				gw := gateway("default", name, class, l)
				gw.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: "10.0.0.1"}}
				return gw
			}
			mesh := listener("mesh", 15008, "HBONE")
			pods := ready("pods", extv1.ClassWaypoint, mesh)
			pods.Labels = map[string]string{extv1.LabelWaypointFor: "workload"}
			w.apply(ready("way", extv1.ClassWaypoint, mesh), gateway("default", "new", extv1.ClassWaypoint, mesh), pods,
				ready("edge", extv1.ClassIngress, listener("http", 80, "HTTP")), ready("foreign-edge", "others", listener("http", 80, "HTTP")),
				ready("foreign", "others", mesh), is.service)
			got := "nothing"
			if b := w.waypointBinding(model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"}); b != nil && b.Bound {
				got = "bound"
			} else if b != nil {
				got = b.Reason
			}
			if got != is.want {
				t.Errorf("got %s, want %s", got, is.want)
			}
		})
	}
}

func TestAWaypointsFirstAddressMarksItsServices(t *testing.T) {
	w, scope := bound(t)
	w.status = newStatusMarks()
	with := func(labels map[string]string, addresses ...gatewayv1.GatewayStatusAddress) *gatewayv1.Gateway {
		gw := gateway("default", "way", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE"))
		gw.Labels, gw.Status.Addresses = labels, addresses
		return gw
	}
	marked := func(gw *gatewayv1.Gateway) bool {
		changes, err := w.tracker.Apply(events(gw)...)
		if err != nil {
			t.Fatal(err)
		}
		w.markChanges(changes)
		_, is := w.status.services[scope.Service]
		w.status = newStatusMarks()
		return is
	}
	if !marked(with(nil, gatewayv1.GatewayStatusAddress{Value: "10.0.0.1"})) {
		t.Error("the first address marks nothing")
	}
	if marked(with(nil, gatewayv1.GatewayStatusAddress{Value: "10.0.0.2"})) {
		t.Error("another address is marked: nothing depends on which it is")
	}
}
