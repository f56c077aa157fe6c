package engine

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// A GatewayClass of ours that is deleted while Gateways use it stays in force as it was: it may come back in a moment (an edit of
// what cannot be edited, a chart that is installed anew), and Gateways without listeners would let requests fail, and waypoints
// without addresses would be gone around, and their plugins with them.

// keepClasses leaves the end of such classes out of a batch. The first batch knows no class that ended before it: what was
// provisioned for a Gateway says that its class was ours.
func (e *Engine) keepClasses(events []store.Event) []store.Event {
	var out []store.Event
	for _, event := range events {
		name := event.Deleted.Name
		switch class, is := event.Object.(*gatewayv1.GatewayClass); {
		case is:
			delete(e.keptClasses, class.Name)
		case event.Object == nil && event.Deleted.Kind == store.KindGatewayClass && e.ours(name) && len(e.store.GatewaysOfClass(name)) > 0:
			e.log.Warn("a GatewayClass is gone while Gateways use it; they stay as they are, create it again", "class", name)
			e.keptClasses[name] = true
			continue
		}
		out = append(out, event)
	}
	if e.loaded {
		return out
	}
	for _, class := range e.lostClasses(events) {
		e.log.Warn("a GatewayClass is missing whose Gateways have proxies; they stay as they are, create it again", "class", class.Name)
		e.keptClasses[class.Name] = true
		out = append(out, store.Event{Object: class})
	}
	return out
}

// ours tells whether a class names us as its controller.
func (e *Engine) ours(class string) bool {
	c := e.store.GatewayClass(class)
	return c != nil && c.Spec.ControllerName == extv1.ControllerName
}

// lostClasses are those that Gateways name, that do not exist, and for which we made proxies.
func (e *Engine) lostClasses(events []store.Event) (lost []*gatewayv1.GatewayClass) {
	known := map[string]bool{}
	services := map[types.NamespacedName]*corev1.Service{}
	for _, event := range events {
		switch o := event.Object.(type) {
		case *gatewayv1.GatewayClass:
			known[o.Name] = true
		case *corev1.Service:
			services[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = o
		}
	}
	for _, event := range events {
		gw, is := event.Object.(*gatewayv1.Gateway)
		if !is || known[string(gw.Spec.GatewayClassName)] {
			continue
		}
		s := services[types.NamespacedName{Namespace: gw.Namespace, Name: provision.Name(gw)}]
		if s == nil || !provision.IsFor(s, gw) {
			continue
		}
		class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: string(gw.Spec.GatewayClassName)}}
		class.Spec.ControllerName = extv1.ControllerName
		if provision.TakesMeshTraffic(s) {
			class.Annotations = map[string]string{extv1.AnnotationInboundBinding: provision.InboundBinding}
		}
		known[class.Name] = true
		lost = append(lost, class)
	}
	return lost
}

// endClasses lets the classes go that no Gateway uses any more.
func (e *Engine) endClasses() {
	for name := range e.keptClasses {
		if len(e.store.GatewaysOfClass(name)) == 0 {
			delete(e.keptClasses, name)
			e.apply([]store.Event{{Deleted: store.Ref{Kind: store.KindGatewayClass, NamespacedName: types.NamespacedName{Name: name}}}}, nil)
		}
	}
}
