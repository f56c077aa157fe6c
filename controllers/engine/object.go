package engine

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// Object is an object's identity with the status that wasmpoint gives it.
type Object struct {
	Kind              string `json:"kind"`
	metav1.ObjectMeta `json:"metadata"`
	Status            any `json:"status"`
}

// Object gives one object with its full status; the kind is compared without regard to case. It is nil when there is no
// such object, or wasmpoint gives its kind no status.
func (e *Engine) Object(ctx context.Context, kind, namespace, name string) (*Object, error) {
	var out *Object
	err := e.Do(ctx, func() {
		at := types.NamespacedName{Namespace: namespace, Name: name}
		switch strings.ToLower(kind) {
		case "wasmplugin", "wasmplugins":
			out = e.pluginObject(model.Key{Kind: extv1.KindWasmPlugin, Namespace: namespace, Name: name})
		case "trafficextension", "trafficextensions":
			out = e.pluginObject(model.Key{Kind: extv1.KindTrafficExtension, Namespace: namespace, Name: name})
		case "gateway", "gateways":
			out = e.gatewayObject(at)
		case "httproute", "httproutes":
			out = e.routeObject(at)
		case "service", "services":
			out = e.serviceObject(at)
		}
	})
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

func (e *Engine) pluginObject(k model.Key) *Object {
	state := e.plugins[k]
	if state == nil {
		return nil
	}
	generation := state.plugin.ObjectGeneration()
	s := status.Build(e.input(state, e.fleet()))
	return &Object{
		Kind: k.Kind, ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name, Generation: generation},
		Status: extv1.PluginStatus{
			Ancestors: s.Ancestors, Conditions: extv1.ConditionsFrom(s.Conditions), ObservedGeneration: generation,
			Summary: s.Summary,
		},
	}
}

func (e *Engine) gatewayObject(name types.NamespacedName) *Object {
	gw, state := e.store.Gateway(name), e.gateways[name]
	if gw == nil {
		return nil
	}
	out := &Object{Kind: "Gateway", ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Generation: gw.Generation}}
	if state == nil {
		out.Status = gatewayv1.GatewayStatus{}
		return out
	}
	row := e.gatewayRow(name, e.fleet())
	address := gatewayv1.IPAddressType
	gs := state.routes.GatewayStatus(routes.Programming{
		Done: row.Programmed, Message: row.Message,
		Addresses: []gatewayv1.GatewayStatusAddress{{Type: &address, Value: state.address.String()}},
	})
	since := metav1.NewTime(state.since)
	for i := range gs.Conditions {
		gs.Conditions[i].LastTransitionTime = since
	}
	for i := range gs.Listeners {
		for j := range gs.Listeners[i].Conditions {
			gs.Listeners[i].Conditions[j].LastTransitionTime = since
		}
	}
	out.Status = gs
	return out
}

func (e *Engine) routeObject(name types.NamespacedName) *Object {
	r := e.store.HTTPRoute(name)
	if r == nil {
		return nil
	}
	return &Object{
		Kind: "HTTPRoute", ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Generation: r.Generation},
		Status: gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: e.parentsOf(r)}},
	}
}

// serviceObject carries Istio's condition for a Service's waypoint (istio.io/WaypointBound).
func (e *Engine) serviceObject(name types.NamespacedName) *Object {
	s := e.store.Service(name)
	if s == nil {
		return nil
	}
	out := &Object{Kind: "Service", ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	b := e.tracker.Binding(model.ServiceKey{Kind: string(store.KindService), Namespace: name.Namespace, Name: name.Name})
	if b.Waypoint == (types.NamespacedName{}) {
		out.Status = corev1.ServiceStatus{} // no label, no condition
		return out
	}
	c := metav1.Condition{Type: "istio.io/WaypointBound", Status: metav1.ConditionTrue, Reason: "WaypointAccepted", Message: "Successfully attached to waypoint " + b.Waypoint.String()}
	if !b.Bound() {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, b.Reason, b.Message
	}
	out.Status = corev1.ServiceStatus{Conditions: []metav1.Condition{c}}
	return out
}
