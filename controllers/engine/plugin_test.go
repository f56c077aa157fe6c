package engine

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/acks"
)

const (
	one = "oci://r/one:1"
	two = "oci://r/two:1"
)

var target = attach.GatewayTarget(named2("gw"))

func readyState(digest string) modules.State { return modules.State{Ready: true, Digest: digest} }

// runs lets proxies run the wanted variant of plugin p.
func (w *world) runs() {
	w.ProxyRuns(w.entry("p").Wanted)
	w.turn()
}

func (w *world) wantEntry(step string, pending bool, modules ...string) {
	w.t.Helper()
	e := w.entry("p")
	if e.Pending != pending || !slices.Equal(digests(e), modules) {
		w.t.Errorf("%s: pending %v with modules %v, want %v with %v", step, e.Pending, digests(e), pending, modules)
	}
}

func TestANewPluginIsPendingUntilItsModuleComesOrItsTimeIsOver(t *testing.T) {
	w := newWorld(t)
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.wantEntry("new", true)
	w.wait(29 * time.Second)
	w.wantEntry("29 s later", true)
	if d := w.nextExpiry(); d != time.Second {
		t.Errorf("the loop wakes up in %s, want 1 s", d)
	}
	before := w.changes
	w.wait(time.Second)
	w.wantEntry("after 30 s", false)
	if w.changes == before {
		t.Error("nobody was told that the waiting time is over")
	}
	w.apply(plugin("p", two, 2, target))
	w.wantEntry("another module does not begin a new waiting time: it would open the door again", false)
	w.module(two, "d2", "")
	w.wantEntry("ready", false, "d2")
}

func TestTheLastGoodVariantStandsInWhenAModuleIsTakenAway(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.wantEntry("ready", false, "d1")
	w.runs()
	w.apply(plugin("p", two, 2, target))
	w.wantEntry("the next module is on its way", false, "d1")
	w.module(two, "", "FetchFailed")
	w.wantEntry("and fails", false, "d1")
	w.module(two, "d2", "")
	w.wantEntry("and comes", false, "d2", "d1")
	w.runs()
	w.module(two, "", "PullDenied")
	w.wantEntry("and is denied", false, "d2", "d1")
	if e := w.entry("p"); e.Wanted != "" {
		t.Errorf("wanted is %s though the module may not be used", e.Wanted)
	}
	if want := []string{"d2", "d1"}; !slices.Equal(w.modules.pinned, want) {
		t.Errorf("pinned %v, want %v: what proxies may be given must not be deleted", w.modules.pinned, want)
	}
}

func TestAVariantThatNoProxyTookIsNotALastGoodOne(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.module(one, "", "PullDenied")
	w.wantEntry("taken away before any proxy ran it", true)
}

func TestAProxyThatStillRunsAVariantMakesItGoodAgainWhenItIsWantedAgain(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one], w.modules.states[two] = readyState("d1"), readyState("d2")
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	slow := w.registry.Connect("slow", named2("gw"), "1.40.0", w.now)
	slow.SetSlot("s", acks.Slot{Running: []string{w.entry("p").Wanted}})
	w.runs()
	w.apply(plugin("p", two, 2, target))
	w.runs() // another proxy is quicker
	w.apply(plugin("p", one, 3, target))
	w.module(one, "", "PullDenied")
	w.wantEntry("what was wanted last and runs goes first", false, "d1", "d2")
}

func TestWhatAProxyRunsIsGoodEvenIfItsWordIsStillInTheQueue(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.registry.Connect("p", named2("gw"), "1.40.0", w.now).SetSlot("s", acks.Slot{Running: []string{w.entry("p").Wanted}})
	w.module(one, "", "PullDenied") // comes before ProxyRuns does
	w.wantEntry("taken away", false, "d1")
}

func TestADeletedPluginIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), plugin("p", one, 1, target))
	w.runs()
	if len(w.good.content) != 1 {
		t.Fatalf("%d plugins kept, want one", len(w.good.content))
	}
	w.apply(store.Ref{Kind: store.KindWasmPlugin, NamespacedName: named2("p")})
	if len(w.good.content) != 0 || len(w.plugins)+len(w.owners)+len(w.variants)+len(w.waiting) != 0 || len(w.modules.wants) != 0 {
		t.Errorf("something of a deleted plugin is left: %+v, wants %v", w.Engine, w.modules.wants)
	}
	w.module(one, "", "FetchFailed")
	w.apply(plugin("p", one, 1, target))
	w.wantEntry("made anew", true)
}

func TestLastGoodVariantsSurviveARestart(t *testing.T) {
	w := newWorld(t)
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), plugin("p", one, 1, target), plugin("q", one, 1, target))
	w.runs()
	w.ProxyRuns(w.entry("q").Wanted)
	w.turn()

	again := newWorldWith(t, newFakeModules(), w.good, w.network) // the registry is down
	again.apply(ingress("gw"), plugin("p", one, 1, target))       // and q was deleted meanwhile
	again.wantEntry("after the restart", false, "d1")
	if _, kept := w.good.content[model.Key{Kind: "WasmPlugin", Namespace: "default", Name: "q"}]; kept || len(w.good.content) != 1 {
		t.Errorf("kept %v, want p alone: nobody would ever forget q", w.good.content)
	}
	if !slices.Equal(again.modules.pinned, []string{"d1"}) {
		t.Errorf("pinned %v, want the module of p", again.modules.pinned)
	}
}

func TestAskingForTheStateIsNoChangeOfIt(t *testing.T) {
	w := newWorld(t)
	w.apply(ingress("gw"))
	before := w.changes
	done := make(chan error)
	go func() {
		_, err := w.Snapshot(t.Context())
		done <- err
	}()
	for answered := false; !answered; {
		w.turn()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			answered = true
		case <-w.wake:
		}
	}
	if w.changes != before {
		t.Error("a snapshot is reported as a change: whoever takes one for each change never ends")
	}
}

func TestAClassThatIsTakenFromUsLeavesNothingButSlots(t *testing.T) {
	w := newWorld(t)
	g := ingress("gw")
	w.apply(g)
	foreign := gateway("default", "gw", "foreign", g.Spec.Listeners...)
	w.apply(foreign)
	for _, line := range content(w.hub, allGateways()) {
		if n := line[len("default/gw wasmpoint/v1/"):]; n[:4] != "http" && n[:4] != "netw" {
			t.Errorf("left: %s", line)
		}
	}
	if len(w.gateways) != 0 {
		t.Errorf("%d gateways are managed, want none", len(w.gateways))
	}
	w.apply(ingress("gw"))
	if missing := missingSlots(t, w.hub.Group(named2("gw"))); len(missing) > 0 || len(w.gateways) != 1 {
		t.Errorf("given back, %d managed, without slots %v", len(w.gateways), missing)
	}
}

func TestAPluginThatWasCreatedAnewDoesNotInheritWhatTheOldOneRan(t *testing.T) {
	for what, uid := range map[string]types.UID{"an edit": "first", "a new object": "second"} {
		w := newWorld(t)
		first := plugin("p", one, 1, target)
		first.UID = "first"
		w.apply(ingress("gw"), first)
		w.module(one, "d1", "")
		w.runs()
		next := plugin("p", two, 2, target)
		next.UID = uid
		w.apply(next)
		if what == "an edit" {
			w.wantEntry(what, false, "d1")
		} else {
			w.wantEntry(what, true)
		}
		invalid := plugin("p", two, 3, target)
		invalid.UID, invalid.Invalid = uid+"'", "spec: broken"
		w.apply(invalid)
		if p := w.plugins[first.Key].plugin; p.Superseded != nil || p.Invalid == "" {
			t.Errorf("%s: an invalid object that was created anew keeps the older object in force: %+v", what, p)
		}
	}
}
