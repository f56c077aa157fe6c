package attach

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Places are the scopes of a Gateway, sorted: one per listener port at an ingress gateway, one per port of every bound
// Service at a waypoint.
func (r Rules) Places(gateway *gatewayv1.Gateway) []model.Place {
	if !r.IsWaypoint(gateway) {
		return r.ingressPlaces(gateway)
	}
	var places []model.Place
	for _, key := range r.BoundServices(nameOf(gateway)) {
		places = append(places, r.servicePlaces(gateway, r.service(key))...)
	}
	return places
}

// ingressPlaces makes one place of all listeners that share a port. HTTP and HTTPS listeners have HTTP slots; all that
// are carried over TCP have network slots, which stand before the HTTP connection manager.
func (r Rules) ingressPlaces(gateway *gatewayv1.Gateway) []model.Place {
	var places []model.Place
	istio := r.ProgrammedByIstio(gateway)
	for i := range gateway.Spec.Listeners {
		listener := &gateway.Spec.Listeners[i]
		http, network := listenerSlots(listener)
		if !network {
			continue
		}
		at := slices.IndexFunc(places, func(p model.Place) bool { return p.Port == listener.Port })
		if at < 0 {
			at = len(places)
			places = append(places, model.Place{Scope: model.Scope{Gateway: nameOf(gateway), Port: listener.Port}, Istio: istio})
		}
		place := &places[at]
		place.Listeners = append(place.Listeners, string(listener.Name))
		place.HTTP = place.HTTP || http
		place.Network = true
	}
	slices.SortFunc(places, func(a, b model.Place) int { return CompareScopes(a.Scope, b.Scope) })
	return places
}

// listenerSlots tells which slots a listener of an ingress gateway has. A TLS listener shows a proxy no requests, whether
// it ends TLS or passes it through. UDP and protocols that we do not know give no place.
func listenerSlots(listener *gatewayv1.Listener) (http, network bool) {
	switch listener.Protocol {
	case gatewayv1.HTTPProtocolType:
		return true, true
	case gatewayv1.HTTPSProtocolType:
		passthrough := listener.TLS != nil && listener.TLS.Mode != nil && *listener.TLS.Mode == gatewayv1.TLSModePassthrough
		return !passthrough, true
	case gatewayv1.TLSProtocolType, gatewayv1.TCPProtocolType:
		return false, true
	}
	return false, false
}

// servicePlaces are the places of one bound Service at its waypoint: HTTP ports have HTTP slots, all others network
// slots, as at Istio's waypoints.
func (r Rules) servicePlaces(waypoint *gatewayv1.Gateway, s *service) []model.Place {
	var listeners []string
	if listener := r.MeshListener(waypoint); listener != nil {
		listeners = []string{string(listener.Name)}
	}
	var places []model.Place
	istio := r.ProgrammedByIstio(waypoint)
	for _, port := range s.ports {
		places = append(places, model.Place{
			Scope:     model.Scope{Gateway: nameOf(waypoint), Service: s.key, Port: port.Number},
			Listeners: listeners,
			HTTP:      port.Protocol.IsHTTP(),
			Network:   !port.Protocol.IsHTTP(),
			Waypoint:  true,
			Istio:     istio,
		})
	}
	return places
}

// BoundServices are the Services and ServiceEntries whose traffic goes through a waypoint, by namespace, name, kind.
func (r Rules) BoundServices(waypoint types.NamespacedName) []model.ServiceKey {
	var bound []model.ServiceKey
	for _, key := range r.namedBy(waypoint) {
		if binding := r.Binding(key); binding.Bound() && binding.Waypoint == waypoint {
			bound = append(bound, key)
		}
	}
	return bound
}

// namedBy are the Services and ServiceEntries that may use a waypoint: by their own label, or by their Namespace's.
func (r Rules) namedBy(waypoint types.NamespacedName) []model.ServiceKey {
	var keys []model.ServiceKey
	for _, s := range r.ServicesUsing(waypoint) {
		keys = append(keys, model.ServiceKey{Kind: kindService, Namespace: s.Namespace, Name: s.Name})
	}
	for _, e := range r.ServiceEntriesUsing(waypoint) {
		keys = append(keys, model.ServiceKey{Kind: kindServiceEntry, Namespace: e.Namespace, Name: e.Name})
	}
	for _, namespace := range r.NamespacesUsing(waypoint) {
		keys = append(keys, r.servicesOf(namespace.Name)...)
	}
	slices.SortFunc(keys, compareServices)
	return slices.Compact(keys)
}

// servicesOf are all Services and ServiceEntries of a namespace.
func (r Rules) servicesOf(namespace string) []model.ServiceKey {
	var keys []model.ServiceKey
	for _, s := range r.ServicesIn(namespace) {
		keys = append(keys, model.ServiceKey{Kind: kindService, Namespace: s.Namespace, Name: s.Name})
	}
	for _, e := range r.ServiceEntriesIn(namespace) {
		keys = append(keys, model.ServiceKey{Kind: kindServiceEntry, Namespace: e.Namespace, Name: e.Name})
	}
	return keys
}

// CompareScopes orders scopes by gateway, service, side, port.
func CompareScopes(a, b model.Scope) int {
	return cmp.Or(
		cmp.Compare(a.Gateway.Namespace, b.Gateway.Namespace), cmp.Compare(a.Gateway.Name, b.Gateway.Name),
		compareServices(a.Service, b.Service), cmp.Compare(a.Side, b.Side), cmp.Compare(a.Port, b.Port))
}
