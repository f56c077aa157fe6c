package engine

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// bound is a Service bound to waypoint default/way, with a plugin of its own that runs.
func bound(t *testing.T) (w *world, scope model.Scope) {
	w = newWorld(t)
	w.opts.Linger = 10 * time.Second
	key := model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"}
	w.apply(
		gateway("default", "way", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE")), gateway("default", "other", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE")),
		service("default", "web", map[string]string{"istio.io/use-waypoint": "way"}, port("http", 80)), plugin("p", one, 1, attach.ServiceTarget(key)),
	)
	w.module(one, "d1", "")
	return w, model.Scope{Gateway: named2("way"), Service: key, Port: 80}
}

// serves tells whether a waypoint has listener and slots of the Service, with so many plugins in the first slot.
func (w *world) serves(scope model.Scope, plugins int) bool {
	slot := w.hub.Group(scope.Gateway).Slot(names.Slot(scope, model.PhaseAuthn))
	if slot == nil || len(slot.Entries) != plugins {
		return false
	}
	return len(missingSlots(w.t, w.hub.Group(scope.Gateway))) == 0 && len(w.gateways[scope.Gateway].units[scope]) > 0
}

func relabelled(value string) any {
	return service("default", "web", map[string]string{"istio.io/use-waypoint": value}, port("http", 80))
}

func TestAWaypointStillServesAServiceForAWhileAfterItsBindingEnded(t *testing.T) {
	for _, value := range []string{"none", "other"} {
		w, scope := bound(t)
		before := len(w.hub.Group(scope.Gateway).Resources(dataplane.TypeListener))
		w.apply(relabelled(value))
		there := scope
		there.Gateway = named2("other")
		if moved := value == "other"; !w.serves(scope, 1) || w.gateways[there.Gateway].units[there] != nil != moved {
			t.Errorf("%s: it is not served at both waypoints, or at one that it does not use", value)
		}
		w.apply(plugin("p", one, 2, attach.ServiceTarget(scope.Service)), plugin("q", one, 1, attach.ServiceTarget(scope.Service)))
		if !w.serves(scope, 1) {
			t.Errorf("%s: a new plugin came to a place that is about to end", value)
		}
		if d := w.nextExpiry(); d != 10*time.Second {
			t.Errorf("%s: the loop wakes up in %s, want 10 s", value, d)
		}
		w.wait(10 * time.Second)
		if w.serves(scope, 1) || len(w.hub.Group(scope.Gateway).Resources(dataplane.TypeListener)) != before-1 {
			t.Errorf("%s: it is still served when the grace is over", value)
		}
	}
}

func TestAServiceThatItsWaypointDoesNotTakeAnyMoreIsServedForAWhileToo(t *testing.T) {
	w, scope := bound(t)
	refusing := gateway("default", "way", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE"))
	refusing.Labels = map[string]string{extv1.LabelWaypointFor: "workload"}
	w.apply(refusing)
	if !w.serves(scope, 1) {
		t.Error("it is not served any more, and the mesh does not know yet")
	}
	w.wait(10 * time.Second)
	if w.serves(scope, 1) {
		t.Error("it is still served when the grace is over")
	}
}

func TestAPluginThatChangesItsTypeStaysAsItWasOnTheOldWay(t *testing.T) {
	w, scope := bound(t)
	first := func() *build.Slot { return w.hub.Group(scope.Gateway).Slot(names.Slot(scope, model.PhaseAuthn)) }
	w.ProxyRuns(first().Entries[0].Wanted)
	w.turn()
	w.apply(relabelled("none"))
	network := plugin("p", two, 2, attach.ServiceTarget(scope.Service))
	network.Type = model.TypeNetwork
	w.apply(network)
	w.module(two, "d2", "")
	slot := first()
	if slot == nil || len(slot.Entries) != 1 {
		t.Fatalf("slot %+v, want the plugin in it", slot)
	}
	if got := digests(slot.Entries[0]); !slices.Equal(got, []string{"d1"}) {
		t.Errorf("the slot for HTTP filters has %v, want what was there", got)
	}
}

func TestABindingThatComesBackInItsGraceIsAsItWas(t *testing.T) {
	w, scope := bound(t)
	w.apply(relabelled("none"))
	w.wait(5 * time.Second)
	seen := &watcher{}
	defer w.hub.Group(scope.Gateway).Watch(seen)()
	w.apply(relabelled("way"))
	w.wait(time.Minute)
	if !w.serves(scope, 1) || len(seen.updates) != 0 {
		t.Errorf("served %v, told %+v; want nothing told", w.serves(scope, 1), seen.updates)
	}
}

func TestWithoutTheServiceOrTheWaypointNothingLingers(t *testing.T) {
	for what, gone := range map[string]store.Ref{
		"Service":  {Kind: "Service", NamespacedName: types.NamespacedName{Namespace: "default", Name: "web"}},
		"waypoint": {Kind: store.KindGateway, NamespacedName: named2("way")},
	} {
		for _, first := range []bool{true, false} {
			w, scope := bound(t)
			if !first { // it leaves already when the object goes
				w.apply(relabelled("none"))
			}
			w.apply(gone)
			if slot := w.hub.Group(scope.Gateway).Slot(names.Slot(scope, model.PhaseAuthn)); slot != nil || len(w.leaving) != 0 {
				t.Errorf("%s, unbound before %v: slot %v, leaving %v; want none", what, !first, slot, w.leaving)
			}
		}
	}
}
