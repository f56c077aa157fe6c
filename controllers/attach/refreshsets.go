package attach

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// refreshPlaces computes the plugin sets of dirty places anew. The places of changed plugins are looked up only now,
// when Gateways and Services are up to date.
func (t *Tracker) refreshPlaces(d *dirt) {
	for _, plugin := range d.plugins {
		t.touchReach(plugin, d)
	}
	for scope := range d.scopes {
		was, known := t.places[scope]
		place, exists := t.placeAt(scope)
		if !exists {
			if known {
				delete(t.places, scope)
				d.changes = append(d.changes, PlaceChange{Kind: PlaceRemoved, Place: was.place})
			}
			continue
		}
		is := placeState{place: place}
		is.set, is.left = t.rules.resolve(place)
		t.places[scope] = is
		d.judgeOverflow(was.left, is.left)
		switch {
		case !known:
			d.changes = append(d.changes, PlaceChange{PlaceAdded, place, is.set})
		case !equalPlace(was.place, place) || !equalSets(&was.set, &is.set):
			d.changes = append(d.changes, PlaceChange{PlaceChanged, place, is.set})
		}
	}
}

// placeAt is the place of a scope according to the Gateways and Services now.
func (t *Tracker) placeAt(scope model.Scope) (model.Place, bool) {
	var places []model.Place
	if scope.Side != "" {
		if state := t.workloads[scope.Gateway]; state != nil {
			places = state.places
		}
	} else if scope.Service.IsZero() {
		if state := t.gateways[scope.Gateway]; state != nil {
			places = state.ingress
		}
	} else if answer := t.services[scope.Service]; answer.binding.Waypoint == scope.Gateway {
		places = answer.places
	}
	at := slices.IndexFunc(places, func(p model.Place) bool { return p.Scope == scope })
	if at < 0 {
		return model.Place{}, false
	}
	return places[at], true
}

// touchReach marks every place that a plugin's targets reach, whether it runs there or not.
func (t *Tracker) touchReach(plugin *model.Plugin, d *dirt) {
	for _, target := range plugin.Targets {
		switch target.Kind {
		case kindGateway:
			t.touchGateway(types.NamespacedName{Namespace: target.Namespace, Name: target.Name}, d)
		case kindGatewayClass:
			for _, gateway := range t.store.GatewaysOfClass(target.Name) {
				t.touchGateway(nameOf(gateway), d)
			}
		case kindService, kindServiceEntry:
			key := model.ServiceKey{Kind: target.Kind, Namespace: target.Namespace, Name: target.Name}
			for _, place := range t.services[key].places {
				d.scopes.add(place.Scope)
			}
		}
	}
	if len(plugin.Targets) > 0 {
		return
	}
	inReach := t.store.GatewaysIn(plugin.Namespace)
	if plugin.Namespace == t.rules.Root() {
		inReach = t.store.Gateways()
	}
	for _, gateway := range inReach {
		if !t.isWaypoint(gateway) {
			t.touchGateway(nameOf(gateway), d)
		}
	}
	for _, w := range t.rules.workloadsOf(plugin) {
		t.touchGateway(w.NamespacedName(), d)
	}
}

func (t *Tracker) touchGateway(name types.NamespacedName, d *dirt) {
	for place := range t.Places(name) {
		d.scopes.add(place.Scope)
	}
}

// judgeOverflow marks the NETWORK plugins that lost or found a slot.
func (d *dirt) judgeOverflow(was, is []*model.Plugin) {
	for _, p := range was {
		if !slices.Contains(is, p) {
			d.judge(p)
		}
	}
	for _, p := range is {
		if !slices.Contains(was, p) {
			d.judge(p)
		}
	}
}

func equalSets(a, b *model.PluginSet) bool {
	for phase := range a.HTTP {
		if !slices.Equal(a.HTTP[phase], b.HTTP[phase]) || !slices.Equal(a.Network[phase], b.Network[phase]) {
			return false
		}
	}
	return true
}

// refreshVerdicts computes dirty verdicts anew.
func (t *Tracker) refreshVerdicts(d *dirt) {
	for key := range d.verdicts {
		plugin := t.store.Plugin(key)
		if plugin == nil {
			delete(t.verdicts, key)
			delete(t.wide, key)
			continue
		}
		was, known := t.verdicts[key]
		is := t.rules.verdicts(t, plugin)
		if known && slices.EqualFunc(was, is, equalVerdicts) {
			continue
		}
		t.verdicts[key] = is
		d.changed.add(key)
	}
}

func equalVerdicts(a, b model.Verdict) bool {
	return a.Target == b.Target && a.Accepted == b.Accepted && a.Reason == b.Reason && a.Message == b.Message &&
		slices.Equal(a.Scopes, b.Scopes)
}
