package attach

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Result is everything that the rules say of one state of the world. Same objects give equal Results, byte for byte.
type Result struct {
	// Gateways are all Gateways, by namespace and name.
	Gateways []GatewayResult
	// Workloads are all external proxies that have places, by namespace and name.
	Workloads []WorkloadResult
	// Plugins are all plugins, by namespace, name, kind.
	Plugins []PluginResult
}

// GatewayResult is one Gateway with its places.
type GatewayResult struct {
	Name     types.NamespacedName
	Waypoint bool
	// Services are bound to this waypoint, by namespace, name, kind.
	Services []model.ServiceKey
	// Places are sorted by scope.
	Places []PlaceResult
}

// WorkloadResult is external proxies with their places.
type WorkloadResult struct {
	Workload *model.Workload
	// Places are sorted by scope.
	Places []PlaceResult
}

// PlaceResult is one place with the plugins that run there.
type PlaceResult struct {
	Place   model.Place
	Plugins model.PluginSet
}

// PluginResult is one plugin with what became of its targets.
type PluginResult struct {
	Plugin   *model.Plugin
	Verdicts []model.Verdict
}

// Full computes everything from nothing. Tracker keeps the same result through changes.
func (r Rules) Full() Result {
	var result Result
	s := newSnapshot(r)
	for _, gateway := range r.Gateways() {
		g := GatewayResult{Name: nameOf(gateway), Waypoint: s.isWaypoint(gateway)}
		if g.Waypoint {
			g.Services = r.BoundServices(g.Name)
		}
		for place := range s.placesOf(gateway) {
			g.Places = append(g.Places, PlaceResult{place, s.resolved(place).set})
		}
		result.Gateways = append(result.Gateways, g)
	}
	for _, w := range r.Workloads() {
		answer := WorkloadResult{Workload: w}
		for _, place := range workloadPlaces(w) {
			answer.Places = append(answer.Places, PlaceResult{place, s.resolved(place).set})
		}
		if len(answer.Places) > 0 {
			result.Workloads = append(result.Workloads, answer)
		}
	}
	for _, plugin := range r.Plugins() {
		result.Plugins = append(result.Plugins, PluginResult{plugin, r.verdicts(s, plugin)})
	}
	return result
}
