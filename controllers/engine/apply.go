package engine

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// apply takes a batch in and rebuilds what it touches, and nothing else.
func (e *Engine) apply(events []store.Event, moved []store.Ref) {
	events = e.keepClasses(events)
	e.dropReplaced(events)
	e.supersede(events)
	changes, err := e.tracker.Apply(events...)
	if err != nil {
		e.log.Error("object not taken in", "error", err)
	}
	for _, key := range changes.Plugins {
		p := e.store.Plugin(key)
		switch known := e.plugins[key]; {
		case p == nil:
			e.dropPlugin(key)
		case known == nil || known.plugin != p:
			e.setPlugin(p)
		}
	}
	for _, key := range changes.PullSecrets {
		if p := e.store.Plugin(key); p != nil {
			e.setPlugin(p)
		}
	}
	e.markChanges(changes)
	e.noteUnenforced(changes)
	var rebuild []model.Scope
	for _, c := range changes.Places {
		if e.setPlace(c) {
			rebuild = append(rebuild, c.Place.Scope)
		}
	}
	gateways := slices.Concat(changes.Gateways, changes.Routes, changes.Certificates)
	services := changes.Services
	for _, ref := range moved {
		if ref.Kind == store.KindGateway {
			gateways = append(gateways, ref.NamespacedName)
		} else {
			services = append(services, model.ServiceKey{Kind: string(ref.Kind), Namespace: ref.Namespace, Name: ref.Name})
		}
	}
	touched := map[types.NamespacedName]bool{}
	for _, gw := range gateways {
		touched[gw] = true
	}
	for _, s := range services {
		rebuild = slices.Concat(rebuild, e.placesOf(s), e.leavingOf(s))
		for _, r := range e.store.RoutesToService(s) {
			for _, gw := range store.ParentGateways(r) {
				if !touched[gw] { // or everything is built anew
					e.refreshEndpoints(gw, s)
				}
			}
		}
	}
	for gw := range touched {
		e.rebuildGateway(gw)
	}
	for _, scope := range rebuild {
		e.rebuildPlace(scope)
	}
	e.endClasses()
}

// dropReplaced forgets plugins that were deleted and created anew within one batch: what the older object had in force is no
// last good configuration of the newer one. A proxy that runs it goes on with it until the new one can run.
func (e *Engine) dropReplaced(events []store.Event) {
	for _, event := range events {
		if p, is := event.Object.(*model.Plugin); is {
			if s := e.plugins[p.Key]; s != nil && s.plugin.UID != p.UID {
				e.dropPlugin(p.Key)
			}
		}
	}
}

// supersede keeps the last valid form of plugins that are invalid now in force: an edit that cannot work must not take a
// FAIL_CLOSE plugin off its gateway. A form of a former run comes from the last good variant.
func (e *Engine) supersede(events []store.Event) {
	for i, event := range events {
		p, is := event.Object.(*model.Plugin)
		if !is || p.Invalid == "" {
			continue
		}
		var before *model.Plugin
		if s := e.plugins[p.Key]; s != nil {
			before = s.plugin
		} else if kept := e.keptOf(p); len(kept) > 0 {
			before = kept[0].Restore()
		}
		events[i].Object = model.Supersede(before, p)
	}
}

// keptOf are the last good variants of a former run, unless they are of an older object of that name.
func (e *Engine) keptOf(p *model.Plugin) []*build.Variant {
	return sameObject(e.kept[p.Key], p.UID)
}

// sameObject leaves out variants of an older object of the same name. Those that a former release kept do not say whose they are.
func sameObject(variants []*build.Variant, uid types.UID) (out []*build.Variant) {
	for _, v := range variants {
		if v.Source == nil || v.Source.UID == "" || v.Source.UID == uid {
			out = append(out, v)
		}
	}
	return out
}

// placesOf are the places of a Service at its waypoint.
func (e *Engine) placesOf(key model.ServiceKey) []model.Scope {
	b := e.tracker.Binding(key)
	if !b.Bound() {
		return nil
	}
	var out []model.Scope
	for _, p := range e.ports(key) {
		out = append(out, model.Scope{Gateway: b.Waypoint, Service: key, Port: p.Number})
	}
	return out
}

func (e *Engine) ports(key model.ServiceKey) []attach.Port {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	if key.Kind == string(store.KindServiceEntry) {
		if se := e.store.ServiceEntry(name); se != nil {
			return attach.EntryPorts(se)
		}
		return nil
	}
	if s := e.store.Service(name); s != nil {
		return attach.ServicePorts(s)
	}
	return nil
}

// destination is a Service's port as an upstream, nil if there is none.
func (e *Engine) destination(key model.ServiceKey, port int32) *dataplane.Destination {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	for _, p := range e.ports(key) {
		if p.Number != port {
			continue
		}
		var d dataplane.Destination
		if key.Kind == string(store.KindServiceEntry) {
			d = dataplane.EntryDestination(e.store.ServiceEntry(name), port, protocol(p.Protocol))
		} else {
			d = dataplane.ServiceDestination(e.store.Service(name), e.store.SlicesOfService(name), port, protocol(p.Protocol))
		}
		return &d
	}
	return nil
}

// protocol is what the data plane has to know of a port's protocol: everything that is not plain HTTP is passed through.
func protocol(p attach.Protocol) dataplane.Protocol {
	switch p {
	case attach.ProtocolHTTP:
		return dataplane.HTTP
	case attach.ProtocolHTTP2, attach.ProtocolGRPC:
		return dataplane.HTTP2
	case attach.ProtocolGRPCWeb:
		return dataplane.GRPCWeb
	}
	return dataplane.TCP
}

func encrypted(p *corev1.ServicePort) bool {
	switch attach.ServicePortProtocol(p) {
	case attach.ProtocolHTTPS, attach.ProtocolTLS:
		return true
	}
	return false
}

// managed tells whether the listeners of a Gateway are ours to program.
func (e *Engine) managed(gw *gatewayv1.Gateway) bool {
	class := string(gw.Spec.GatewayClassName)
	switch e.opts.Attach.Class(class) {
	case extv1.ClassIngress, extv1.ClassWaypoint:
		return true
	}
	c := e.store.GatewayClass(class)
	return c != nil && c.Spec.ControllerName == extv1.ControllerName
}

// waypointOf is the waypoint of a Service for people, or why it has none.
func (e *Engine) waypointOf(key model.ServiceKey) (waypoint, message string) {
	b := e.tracker.Binding(key)
	if b.Bound() {
		return b.Waypoint.String(), ""
	}
	return "", b.Message
}
