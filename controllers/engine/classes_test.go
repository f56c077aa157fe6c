package engine

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// large is a class of waypoints by another name than ours, with a Gateway of it, and a Service behind that.
func large(controller string) (class *gatewayv1.GatewayClass, gone store.Ref, rest []any) {
	class = &gatewayv1.GatewayClass{ObjectMeta: meta("", "waypoint-large")}
	class.Spec.ControllerName = gatewayv1.GatewayController(controller)
	class.Annotations[extv1.AnnotationInboundBinding] = "PROXY/15088"
	way := gateway("default", "way", class.Name)
	way.UID = "way-1"
	web := service("default", "web", map[string]string{extv1.LabelUseWaypoint: "way"}, corev1.ServicePort{Name: "http", Port: 80})
	return class, store.Ref{Kind: store.KindGatewayClass, NamespacedName: types.NamespacedName{Name: class.Name}}, []any{way, web}
}

func (w *world) waypointContent() string {
	return strings.Join(content(w.hub, []types.NamespacedName{named2("way")}), "\n")
}

func TestGatewaysOutliveTheirClassAsTheyWere(t *testing.T) {
	w := newWorld(t)
	class, gone, rest := large(extv1.ControllerName)
	p := plugin("p", one, 1, model.TargetRef{Group: gatewayv1.GroupName, Kind: "GatewayClass", Name: class.Name})
	p.Namespace = "istio-system"
	w.apply(append(rest, class, p)...)
	w.module(one, "d1", "")
	before := w.waypointContent()
	if !strings.Contains(before, "istio-system/p") || !strings.Contains(before, "/proxy/") {
		t.Fatalf("the waypoint has\n%s\nwhich is no guarded Service", before)
	}
	w.apply(gone)
	if after := w.waypointContent(); after != before {
		t.Errorf("without its class the waypoint has\n%s\nwant\n%s", after, before)
	}
	if state := w.gateways[named2("way")]; state == nil || state.routes == nil {
		t.Error("the status of the Gateway would be taken back")
	}
	w.apply(class)
	if after := w.waypointContent(); after != before {
		t.Errorf("with its class again the waypoint has\n%s\nwant\n%s", after, before)
	}

	// Somebody else's class of that name takes the Gateway over.
	w.apply(gone)
	others, _, _ := large("example.com/other")
	w.apply(others)
	if after := w.waypointContent(); w.gateways[named2("way")] != nil || strings.Contains(after, "/proxy/") {
		t.Errorf("the waypoint of somebody else's class has\n%s", after)
	}
}

func TestAClassThatIsGoneEndsWithTheLastGatewayOfIt(t *testing.T) {
	for what, leave := range map[string]any{
		"the Gateway is deleted":      store.Ref{Kind: store.KindGateway, NamespacedName: named2("way")},
		"it changes to another class": gateway("default", "way", "somebody-elses"),
	} {
		w := newWorld(t)
		class, gone, rest := large(extv1.ControllerName)
		w.apply(append(rest, class)...)
		w.apply(gone)
		w.apply(leave)
		if after := w.waypointContent(); after != "" || w.store.GatewayClass(class.Name) != nil {
			t.Errorf("%s: class %v, and the waypoint has\n%s", what, w.store.GatewayClass(class.Name), after)
		}
	}
}

func TestAfterARestartWhatWasProvisionedSaysThatAClassWasOurs(t *testing.T) {
	before := newWorld(t)
	class, _, rest := large(extv1.ControllerName)
	way := rest[0].(*gatewayv1.Gateway)
	facts := provision.Facts{Image: "envoy", XDS: "wasmpoint:15010", Modules: "wasmpoint:15011", TLS: &bootstrap.TLS{CAFile: "/ca.crt", Name: "wasmpoint"}}
	objects, err := provision.Objects(provision.Input{Gateway: way, Waypoint: true, Facts: facts})
	if err != nil {
		t.Fatal(err)
	}
	made := &corev1.Service{ObjectMeta: meta("default", provision.Name(way))}
	made.Labels, made.OwnerReferences = objects[2].GetLabels(), objects[2].GetOwnerReferences()
	made.Spec.Ports = []corev1.ServicePort{{Name: "mesh", Port: 15008}, {Name: "proxy", Port: 15088}}
	before.apply(append(rest, class, made)...)

	again := newWorld(t)
	again.apply(append(rest, made)...)
	if got, want := again.waypointContent(), before.waypointContent(); got != want || want == "" {
		t.Errorf("the waypoint has\n%s\nwant\n%s", got, want)
	}
	made.OwnerReferences = []metav1.OwnerReference{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Name: "way", UID: "an-older-one", Controller: made.OwnerReferences[0].Controller}}
	never := newWorld(t)
	never.apply(append(rest, made)...)
	if got := never.waypointContent(); got != "" {
		t.Errorf("a Gateway for which nothing was made has\n%s", got)
	}
}
