package attach

import (
	"errors"
	"iter"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// Tracker keeps a Store and the rules' answers for it. Apply takes changes in and recomputes only what they can affect,
// in four steps, each fed by the one before: Gateways, Services, plugin sets of places, verdicts. Like the Store it has
// one owner and no locks; what it hands out is immutable.
type Tracker struct {
	store *store.Store
	rules Rules

	gateways  map[types.NamespacedName]*gatewayState
	workloads map[types.NamespacedName]*workloadState
	services  map[model.ServiceKey]serviceAnswer
	places    map[model.Scope]placeState
	verdicts  map[model.Key][]model.Verdict
	wide      map[model.Key]*wideTallies
	revision  uint64
}

// gatewayState is what is kept of a Gateway.
type gatewayState struct {
	object   *gatewayv1.Gateway
	facts    gatewayFacts
	ingress  []model.Place      // places of an ingress gateway
	services []model.ServiceKey // bound to a waypoint, in order
	revision uint64             // changes with everything that a tally of the Gateway's places depends on
}

// placeState is a place with its plugins, and the NETWORK plugins that found no slot.
type placeState struct {
	place model.Place
	setAnswer
}

// NewTracker makes a Tracker around an empty Store of its own.
func NewTracker(config Config) *Tracker {
	s := store.New()
	return &Tracker{
		store:    s,
		rules:    Rules{Config: config, View: s},
		gateways: map[types.NamespacedName]*gatewayState{}, workloads: map[types.NamespacedName]*workloadState{},
		services: map[model.ServiceKey]serviceAnswer{},
		places:   map[model.Scope]placeState{},
		verdicts: map[model.Key][]model.Verdict{},
		wide:     map[model.Key]*wideTallies{},
	}
}

// Apply takes a batch of events in, in order, and tells what they changed together. An object of an unknown type is left out and reported; the others of the batch are taken.
func (t *Tracker) Apply(events ...store.Event) (Changes, error) {
	d := newDirt()
	var errs []error
	for _, event := range events {
		errs = append(errs, t.take(event, d))
	}
	t.refreshGateways(d)
	t.refreshServices(d)
	t.refreshWorkloads(d)
	t.refreshPlaces(d)
	t.refreshVerdicts(d)
	t.refreshUnenforced(d)
	return d.result(), errors.Join(errs...)
}

// Store is the Tracker's Store, for reading. Changes must go through Apply.
func (t *Tracker) Store() *store.Store { return t.store }

// Rules are the rules over the Tracker's Store.
func (t *Tracker) Rules() Rules { return t.rules }

// IsWaypoint tells whether a Gateway exists and is a waypoint.
func (t *Tracker) IsWaypoint(gateway types.NamespacedName) bool {
	state := t.gateways[gateway]
	return state != nil && state.facts.waypoint
}

// Places are the places of a Gateway or of external proxies, sorted.
func (t *Tracker) Places(gateway types.NamespacedName) iter.Seq[model.Place] {
	if state := t.workloads[gateway]; state != nil {
		return slices.Values(state.places)
	}
	return func(yield func(model.Place) bool) {
		state := t.gateways[gateway]
		if state == nil {
			return
		}
		for _, place := range state.ingress {
			if !yield(place) {
				return
			}
		}
		for _, key := range state.services {
			for _, place := range t.services[key].places {
				if !yield(place) {
					return
				}
			}
		}
	}
}

// Place is the place of a scope with its plugins; false if there is no such place.
func (t *Tracker) Place(scope model.Scope) (PlaceResult, bool) {
	state, ok := t.places[scope]
	return PlaceResult{state.place, state.set}, ok
}

// BoundServices are the Services and ServiceEntries whose traffic goes through a waypoint, by namespace, name, kind.
func (t *Tracker) BoundServices(waypoint types.NamespacedName) []model.ServiceKey {
	if state := t.gateways[waypoint]; state != nil {
		return append([]model.ServiceKey(nil), state.services...)
	}
	return nil
}

// Binding is the waypoint of a Service or ServiceEntry, or why it has none.
func (t *Tracker) Binding(service model.ServiceKey) Binding {
	binding, _ := t.serviceAt(service)
	return binding
}

// Verdicts are what became of the targets of a plugin; nil if there is no such plugin.
func (t *Tracker) Verdicts(plugin model.Key) []model.Verdict { return t.verdicts[plugin] }

// Result is all that is kept, in the form of Rules.Full and equal to it.
func (t *Tracker) Result() Result {
	var result Result
	for _, gateway := range t.store.Gateways() {
		g := GatewayResult{Name: nameOf(gateway), Waypoint: t.isWaypoint(gateway)}
		g.Services = t.BoundServices(g.Name)
		for place := range t.placesOf(gateway) {
			result := t.places[place.Scope]
			g.Places = append(g.Places, PlaceResult{result.place, result.set})
		}
		result.Gateways = append(result.Gateways, g)
	}
	for _, w := range t.store.Workloads() {
		r := WorkloadResult{Workload: w}
		for _, place := range t.workloads[w.NamespacedName()].places {
			r.Places = append(r.Places, PlaceResult{t.places[place.Scope].place, t.places[place.Scope].set})
		}
		if len(r.Places) > 0 {
			result.Workloads = append(result.Workloads, r)
		}
	}
	for _, plugin := range t.store.Plugins() {
		result.Plugins = append(result.Plugins, PluginResult{plugin, t.verdicts[plugin.Key]})
	}
	return result
}

var _ topology = (*Tracker)(nil)

func (t *Tracker) isWaypoint(gateway *gatewayv1.Gateway) bool { return t.IsWaypoint(nameOf(gateway)) }

func (t *Tracker) placesOf(gateway *gatewayv1.Gateway) iter.Seq[model.Place] {
	return t.Places(nameOf(gateway))
}

func (t *Tracker) serviceAt(key model.ServiceKey) (Binding, []model.Place) {
	answer, ok := t.services[key]
	if !ok {
		answer = t.rules.computeService(key) // No such Service: the answer is cheap.
	}
	return answer.binding, answer.places
}

func (t *Tracker) foundNoSlot(p *model.Plugin, place model.Place) bool {
	return p.Type == model.TypeNetwork && slices.Contains(t.places[place.Scope].left, p)
}
