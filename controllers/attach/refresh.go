package attach

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// gatewayFacts are what the rules read of a Gateway and its class, apart from ingress listeners. Equal facts give equal
// bindings, sets and verdicts.
type gatewayFacts struct {
	waypoint bool
	class    string
	labels   map[string]string // its proxies'
	allows   allowance
	meshFacts
}

// allowance is what plugins of other namespaces may do, as the annotations say.
type allowance struct{ lua, hostEnv string }

// meshFacts are those that bindings read.
type meshFacts struct {
	waypoint    bool
	istio       bool
	listener    string
	hasListener bool
	admission   admission
	takes       string
}

func (r Rules) factsOf(gateway *gatewayv1.Gateway) gatewayFacts {
	facts := gatewayFacts{
		waypoint: r.IsWaypoint(gateway),
		class:    string(gateway.Spec.GatewayClassName),
		labels:   ProxyLabels(gateway),
		allows:   allowance{gateway.Annotations[extv1.AnnotationAllowLuaFrom], gateway.Annotations[extv1.AnnotationAllowHostEnvFrom]},
	}
	if facts.waypoint {
		listener := r.MeshListener(gateway)
		facts.meshFacts = meshFacts{waypoint: true, istio: r.ProgrammedByIstio(gateway), admission: admissionOf(listener), takes: r.waypointFor(gateway)}
		if listener != nil {
			facts.listener, facts.hasListener = string(listener.Name), true
		}
	}
	return facts
}

// refreshGateways computes dirty Gateways anew. What was bound to a Gateway that is gone is taken off in refreshServices.
func (t *Tracker) refreshGateways(d *dirt) {
	for name := range d.gateways {
		object := t.store.Gateway(name)
		was := t.gateways[name]
		if object == nil {
			if was != nil {
				t.gatewayChanged(name, was, nil, d)
				t.forgetGateway(name)
			}
			continue
		}
		is := &gatewayState{object: object, facts: t.rules.factsOf(object)}
		if !is.facts.waypoint {
			is.ingress = t.rules.ingressPlaces(object)
		}
		if was != nil {
			is.services, is.revision = was.services, was.revision
		}
		t.gateways[name] = is
		t.gatewayChanged(name, was, is, d)
	}
}

// gatewayChanged marks what the difference between two states of a Gateway (either may be nil) can affect.
func (t *Tracker) gatewayChanged(name types.NamespacedName, was, is *gatewayState, d *dirt) {
	if was != nil && is != nil && reflect.DeepEqual(was.facts, is.facts) && reflect.DeepEqual(was.ingress, is.ingress) {
		return
	}
	if is != nil {
		t.revise(is)
	}
	for _, state := range []*gatewayState{was, is} {
		if state == nil {
			continue
		}
		for _, place := range state.ingress {
			d.scopes.add(place.Scope)
		}
		for _, key := range state.services {
			for _, place := range t.services[key].places {
				d.scopes.add(place.Scope)
			}
			if was == nil || is == nil || was.facts.allows != is.facts.allows { // otherwise the Service's binding says so, below
				d.judge(t.store.PluginsTargeting(ServiceTarget(key))...)
			}
		}
		t.judgeReaching(state.object, d)
		d.judge(t.store.UntargetedPlugins(name.Namespace)...)
		d.judge(t.store.UntargetedPlugins(t.rules.Root())...)
	}
	if was == nil || is == nil || !reflect.DeepEqual(was.facts.meshFacts, is.facts.meshFacts) {
		d.services.add(t.rules.namedBy(name)...)
	}
}

// judgeReaching marks the plugins whose verdicts hold places of a Gateway, apart from those of Services and selectors.
func (t *Tracker) judgeReaching(gateway *gatewayv1.Gateway, d *dirt) {
	d.judge(t.store.PluginsTargeting(GatewayTarget(nameOf(gateway)))...)
	d.judge(t.store.PluginsTargeting(ClassTarget(string(gateway.Spec.GatewayClassName)))...)
}

// refreshServices computes the bindings and places of dirty Services anew.
func (t *Tracker) refreshServices(d *dirt) {
	for key := range d.services {
		was, known := t.services[key]
		is := t.rules.computeService(key)
		if is.binding.Reason == extv1.ReasonTargetNotFound {
			delete(t.services, key)
		} else {
			t.services[key] = is
		}
		if _, respec := d.respec[key]; respec {
			markWaypoint(was, d)
			markWaypoint(is, d)
		}
		if was.binding != is.binding {
			d.bindings.add(key)
		}
		if known && was.binding == is.binding && equalPlaces(was.places, is.places) {
			continue
		}
		d.judge(t.store.PluginsTargeting(ServiceTarget(key))...)
		if known {
			t.unbind(key, was, d)
		}
		t.bind(key, is, d)
	}
}

func markWaypoint(s serviceAnswer, d *dirt) {
	if s.binding.Bound() && s.binding.Waypoint.Name != "" {
		d.topology.add(s.binding.Waypoint)
	}
}

func (t *Tracker) unbind(key model.ServiceKey, was serviceAnswer, d *dirt) {
	if !was.binding.Bound() {
		return
	}
	t.touchPlaces(was, d)
	if state := t.gateways[was.binding.Waypoint]; state != nil {
		if at, found := slices.BinarySearchFunc(state.services, key, compareServices); found {
			state.services = slices.Delete(state.services, at, at+1)
		}
	}
}

func (t *Tracker) bind(key model.ServiceKey, is serviceAnswer, d *dirt) {
	if !is.binding.Bound() {
		return
	}
	t.touchPlaces(is, d)
	state := t.gateways[is.binding.Waypoint]
	if at, found := slices.BinarySearchFunc(state.services, key, compareServices); !found {
		state.services = slices.Insert(state.services, at, key)
	}
}

func (t *Tracker) touchPlaces(s serviceAnswer, d *dirt) {
	for _, place := range s.places {
		d.scopes.add(place.Scope)
	}
	d.topology.add(s.binding.Waypoint)
	if state := t.gateways[s.binding.Waypoint]; state != nil {
		t.revise(state)
		t.judgeReaching(state.object, d)
	}
}

func equalPlaces(a, b []model.Place) bool { return slices.EqualFunc(a, b, equalPlace) }

func equalPlace(a, b model.Place) bool {
	return a.Scope == b.Scope && a.HTTP == b.HTTP && a.Network == b.Network && a.Waypoint == b.Waypoint && a.Istio == b.Istio &&
		slices.Equal(a.Listeners, b.Listeners)
}
