package attach

import (
	"iter"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// topology is what verdicts read beside the View: answers that many verdicts share. The Tracker keeps them; snapshot
// computes each of them once.
type topology interface {
	// isWaypoint answers for a Gateway of the View.
	isWaypoint(*gatewayv1.Gateway) bool
	// placesOf are the places of a Gateway of the View, sorted.
	placesOf(*gatewayv1.Gateway) iter.Seq[model.Place]
	// serviceAt is the binding of a Service, and its places if it is bound.
	serviceAt(model.ServiceKey) (Binding, []model.Place)
	// foundNoSlot tells whether a NETWORK plugin that passed all checks was left out at a place.
	foundNoSlot(*model.Plugin, model.Place) bool
	// tallyAt is the judge's tallyOf all places of a Gateway.
	tallyAt(*judge, *gatewayv1.Gateway) tally
	// workloadTally is the judge's tallyOf all places of external proxies.
	workloadTally(*judge, *model.Workload) tally
}

// snapshot computes the topology of one state of the world, as far as it is asked.
type snapshot struct {
	Rules
	gateways map[types.NamespacedName]gatewayAnswer
	services map[model.ServiceKey]serviceAnswer
	sets     map[model.Scope]setAnswer
}

type gatewayAnswer struct {
	waypoint bool
	places   []model.Place
}

type serviceAnswer struct {
	binding Binding
	places  []model.Place
}

type setAnswer struct {
	set  model.PluginSet
	left []*model.Plugin
}

func newSnapshot(r Rules) *snapshot {
	return &snapshot{
		Rules:    r,
		gateways: map[types.NamespacedName]gatewayAnswer{},
		services: map[model.ServiceKey]serviceAnswer{},
		sets:     map[model.Scope]setAnswer{},
	}
}

var _ topology = (*snapshot)(nil)

func (s *snapshot) gateway(gateway *gatewayv1.Gateway) gatewayAnswer {
	name := nameOf(gateway)
	answer, ok := s.gateways[name]
	if !ok {
		answer = gatewayAnswer{s.IsWaypoint(gateway), s.Places(gateway)}
		s.gateways[name] = answer
	}
	return answer
}

func (s *snapshot) isWaypoint(gateway *gatewayv1.Gateway) bool { return s.gateway(gateway).waypoint }

func (s *snapshot) placesOf(gateway *gatewayv1.Gateway) iter.Seq[model.Place] {
	return slices.Values(s.gateway(gateway).places)
}

func (s *snapshot) serviceAt(key model.ServiceKey) (Binding, []model.Place) {
	answer, ok := s.services[key]
	if !ok {
		answer = s.computeService(key)
		s.services[key] = answer
	}
	return answer.binding, answer.places
}

// computeService answers for one Service or ServiceEntry.
func (r Rules) computeService(key model.ServiceKey) serviceAnswer {
	service := r.service(key)
	answer := serviceAnswer{binding: r.binding(key, service)}
	if answer.binding.Bound() {
		answer.places = r.servicePlaces(r.Gateway(answer.binding.Waypoint), service)
	}
	return answer
}

func (s *snapshot) resolved(place model.Place) setAnswer {
	answer, ok := s.sets[place.Scope]
	if !ok {
		answer.set, answer.left = s.resolve(place)
		s.sets[place.Scope] = answer
	}
	return answer
}

func (s *snapshot) foundNoSlot(p *model.Plugin, place model.Place) bool {
	return p.Type == model.TypeNetwork && slices.Contains(s.resolved(place).left, p)
}

func (s *snapshot) tallyAt(j *judge, gateway *gatewayv1.Gateway) tally {
	return j.tallyOf(gateway, s.placesOf(gateway))
}

func (s *snapshot) workloadTally(j *judge, w *model.Workload) tally {
	return j.tallyOf(nil, slices.Values(workloadPlaces(w)))
}
