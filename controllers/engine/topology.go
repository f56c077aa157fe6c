package engine

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// Network says where managed proxies listen. It is a value: a new one comes with the events that it belongs to.
type Network interface {
	// Gateway gives the addresses on which a Gateway's proxies listen; none: the Gateway is not programmed.
	Gateway(types.NamespacedName) []netip.Addr
	// Service gives the addresses by which clients reach a Service.
	Service(model.ServiceKey) []netip.Addr
	// Port is the port to listen on in the place of a Gateway's or Service's port.
	Port(int32) uint32
	// Bind tells that waypoints listen on the Services' own addresses (standalone).
	Bind() bool
}

// gatewayState is what the engine knows of one managed gateway.
type gatewayState struct {
	waypoint bool
	address  netip.Addr
	// since is when the gateway came under our care; conditions that were never otherwise carry it.
	since time.Time
	// routes is the judged routing of an ingress gateway.
	routes *routes.Result
	// units are the resources in force: those of the gateway itself under the zero scope, those of a Service's port at a
	// waypoint under its scope. No two units of a gateway hold the same resource.
	units map[model.Scope][]named
	// claims are the addresses of a waypoint's places.
	claims claims
}

type named struct {
	url, name string
	resource  *cache.Resource
}

// rebuildGateway builds what belongs to the gateway itself; the places of a waypoint only when it is new.
func (e *Engine) rebuildGateway(name types.NamespacedName) {
	gw := e.store.Gateway(name)
	addresses := e.network.Gateway(name)
	if gw == nil || !e.managed(gw) || len(addresses) == 0 {
		e.dropGateway(name)
		return
	}
	state := e.gateways[name]
	isNew := state == nil
	if isNew {
		state = &gatewayState{since: e.opts.Now(), units: map[model.Scope][]named{}, claims: newClaims()}
		e.gateways[name] = state
	}
	if state.address != addresses[0] {
		state.address = addresses[0]
		e.fleetChanged = true
	}
	waypoint := e.tracker.IsWaypoint(name)
	if state.waypoint != waypoint {
		state.waypoint, isNew = waypoint, true
		state.claims = newClaims()
		for scope := range state.units {
			e.setUnit(name, state, scope, nil)
		}
	}
	before := state.routes
	state.routes = routes.Compile(routes.Input{
		Gateway: gw, Waypoint: waypoint, Routes: e.store.RoutesOfGateway(name), Encrypted: encrypted,
	}, e.store)
	e.markRouting(name, before, state.routes)
	if !waypoint {
		e.setUnit(name, state, model.Scope{}, dataplane.Ingress(dataplane.IngressInput{
			Gateway: name, Addresses: addresses, ListenPort: e.network.Port, Ports: state.routes.Ports,
		}, upstreams{e}))
		return
	}
	e.setUnit(name, state, model.Scope{}, dataplane.Waypoint(name, addresses, dataplane.ProxyPort, e.network.Bind()))
	if isNew {
		for place := range e.tracker.Places(name) {
			e.rebuildPlace(place.Scope)
		}
	}
}

// refreshEndpoints replaces the endpoints of a Service at an ingress gateway. Endpoints come and go more often than
// anything else, and no route depends on them.
func (e *Engine) refreshEndpoints(gateway types.NamespacedName, service model.ServiceKey) {
	state := e.gateways[gateway]
	if state == nil || state.waypoint {
		return
	}
	unit := state.units[model.Scope{}]
	for _, p := range e.ports(service) {
		d := e.destination(service, p.Number).ForRoutes()
		for _, r := range dataplane.Upstream(d) {
			i := slices.IndexFunc(unit, func(n named) bool { return n.url == dataplane.TypeEndpoint && n.name == r.Name })
			if r.TypeURL != dataplane.TypeEndpoint || i < 0 {
				continue
			}
			body, err := r.Any()
			if err != nil {
				e.log.Error("endpoints cannot be built", "gateway", gateway.String(), "resource", r.Name, "error", err)
				continue
			}
			unit[i].resource = cache.NewResource(body)
			e.change(gateway).set(r.TypeURL, r.Name, unit[i].resource)
		}
	}
}

// rebuildPlace builds one Service's port at a waypoint, or removes it.
func (e *Engine) rebuildPlace(scope model.Scope) {
	state := e.gateways[scope.Gateway]
	if state == nil || scope.Service.IsZero() {
		return
	}
	built := map[model.Scope][]dataplane.Resource{}
	for due := []model.Scope{scope}; len(due) > 0; due = due[1:] {
		list, others := e.buildPlace(due[0], state)
		built[due[0]] = list
		due = append(due, others...)
	}
	// What leads to an address has the address's name: the place that lost it must let it go before the other takes it.
	for s := range built {
		e.setUnit(scope.Gateway, state, s, nil)
	}
	for s, list := range built {
		e.setUnit(scope.Gateway, state, s, list)
	}
}

// buildPlace builds one place, and tells which others won or lost an address by that.
func (e *Engine) buildPlace(scope model.Scope, state *gatewayState) (list []dataplane.Resource, others []model.Scope) {
	_, exists := e.places[scope]
	d := e.destination(scope.Service, scope.Port)
	if !exists || d == nil {
		_, others = state.claims.set(scope, nil)
		return nil, others
	}
	port := e.network.Port(scope.Port)
	var wanted []netip.AddrPort
	for _, a := range e.network.Service(scope.Service) {
		wanted = append(wanted, netip.AddrPortFrom(a, uint16(port)))
	}
	own, others := state.claims.set(scope, wanted)
	var addresses []netip.Addr
	for _, a := range own {
		addresses = append(addresses, a.Addr())
	}
	return dataplane.WaypointService(dataplane.ServiceInput{
		Scope: scope, Addresses: addresses, Bind: e.network.Bind(), ListenPort: port, Destination: *d,
	}), others
}

func (e *Engine) dropGateway(name types.NamespacedName) {
	state := e.gateways[name]
	if state == nil {
		return
	}
	for scope := range state.units {
		e.setUnit(name, state, scope, nil)
	}
	e.markRouting(name, state.routes, nil)
	delete(e.gateways, name)
	e.fleetChanged = true
}

// setUnit replaces a unit's resources; what is equal stops in the cache.
func (e *Engine) setUnit(gateway types.NamespacedName, state *gatewayState, scope model.Scope, list []dataplane.Resource) {
	unit := make([]named, 0, len(list))
	for _, r := range list {
		body, err := r.Any()
		if err != nil {
			e.log.Error("resource cannot be built", "gateway", gateway.String(), "resource", r.Name, "error", err)
			continue
		}
		unit = append(unit, named{r.TypeURL, r.Name, cache.NewResource(body)})
	}
	change := e.change(gateway)
	for _, old := range state.units[scope] {
		change.set(old.url, old.name, nil)
	}
	for _, n := range unit {
		change.set(n.url, n.name, n.resource)
	}
	if len(unit) == 0 {
		delete(state.units, scope)
		return
	}
	state.units[scope] = unit
}

// upstreams is what an ingress gateway's builder reads (dataplane.Backends).
type upstreams struct{ e *Engine }

func (u upstreams) Destination(service types.NamespacedName, port int32) *dataplane.Destination {
	return u.e.destination(model.ServiceKey{Kind: "Service", Namespace: service.Namespace, Name: service.Name}, port)
}

func (u upstreams) Secret(name types.NamespacedName) *corev1.Secret { return u.e.store.Secret(name) }
