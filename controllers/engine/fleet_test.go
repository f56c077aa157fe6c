package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// guarded is a world with plugin p on gateway gw, whose module is here.
func guarded(t *testing.T) (w *world, key model.Key, slot string) {
	w = newWorld(t)
	p := plugin("p", one, 1, target)
	w.apply(ingress("gw"), p)
	w.module(one, "d1", "")
	return w, p.Key, names.Slot(model.Scope{Gateway: named2("gw"), Port: 80}, model.PhaseAuthn)
}

// runs makes a proxy report the plugin's wanted variant.
func (w *world) reports(h *acks.Handle, key model.Key, slot string) {
	h.SetSlot(slot, acks.Slot{Running: []string{w.plugins[key].wanted.Hash}, Synced: true})
}

func (w *world) proxies(key model.Key) status.Proxies {
	return w.input(w.plugins[key], w.fleet()).Targets[0].Proxies
}

func TestTheCountIsTheSumOverAllReplicas(t *testing.T) {
	w, key, slot := guarded(t)
	here := w.registry.Connect("a", named2("gw"), "1.40.0", w.now)
	defer here.Disconnect()
	w.reports(here, key, slot)
	there := acks.Proxy{ID: "b", Gateway: named2("gw"), Slots: map[string]acks.Slot{slot: {Running: []string{w.plugins[key].wanted.Hash}}}}
	lags := acks.Proxy{ID: "c", Gateway: named2("gw")}
	w.SetPeer("replica-2", []acks.Proxy{there, lags})
	w.turn()
	if got := w.proxies(key); got.Running != 2 || got.Total != 3 {
		t.Errorf("%d/%d, want 2/3", got.Running, got.Total)
	}
	w.DropPeer("replica-2")
	w.turn()
	if got := w.proxies(key); got.Running != 1 || got.Total != 1 {
		t.Errorf("%d/%d after the replica is gone, want 1/1", got.Running, got.Total)
	}
}

func TestAnEditOfThePriorityAloneIsProgrammedWhenTheProxyHasTheNewOrder(t *testing.T) {
	w, key, slot := guarded(t)
	low, high := int32(1), int32(9)
	p, q := plugin("p", one, 2, target), plugin("q", one, 1, target)
	p.Priority, q.Priority = &high, &low
	w.apply(p, q)
	before, after := w.plugins[key].wanted.Hash, w.plugins[q.Key].wanted.Hash
	h := w.registry.Connect("a", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	h.SetSlot(slot, acks.Slot{Running: []string{before, after}})
	w.turn()
	if got := w.proxies(key); got.Running != 1 {
		t.Fatalf("%d/%d, want 1/1", got.Running, got.Total)
	}
	edited := plugin("q", one, 2, target)
	highest := int32(10)
	edited.Priority = &highest
	w.apply(edited)
	if w.plugins[q.Key].wanted.Hash != after {
		t.Fatal("the variant changed; the test asks nothing")
	}
	for _, k := range []model.Key{key, q.Key} {
		if got := w.proxies(k); got.Running != 0 || got.Total != 1 {
			t.Errorf("%s: %d/%d while the proxy has the old order, want 0/1", k, got.Running, got.Total)
		}
	}
	h.SetSlot(slot, acks.Slot{Running: []string{after, before}})
	for _, k := range []model.Key{key, q.Key} {
		if got := w.proxies(k); got.Running != 1 {
			t.Errorf("%s: %d/%d with the new order, want 1/1", k, got.Running, got.Total)
		}
	}
}

func TestAPluginThatItsFailStrategyLeavesOutIsSaidToBeSo(t *testing.T) {
	w := newWorld(t)
	p := plugin("p", one, 1, target)
	p.FailStrategy = model.FailOpen
	w.apply(ingress("gw"), p)
	slot := names.Slot(model.Scope{Gateway: named2("gw"), Port: 80}, model.PhaseAuthn)
	h := w.registry.Connect("a", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	h.SetSlot(slot, acks.Slot{Version: "empty", Synced: true})
	if got := w.proxies(p.Key); len(got.Notes) != 0 {
		t.Errorf("%+v while its module is awaited, want no note", got)
	}
	w.wait(time.Minute)
	if got := w.proxies(p.Key); got.Running != 0 || strings.Join(got.Notes, "") != "left out by its fail strategy FAIL_OPEN on 1" {
		t.Errorf("%+v, want 0/1 and why", got)
	}
}

func TestWhatRunsAtAnotherReplicaAloneIsALastGoodToo(t *testing.T) {
	w, key, slot := guarded(t)
	w.SetPeer("replica-2", []acks.Proxy{{ID: "b", Gateway: named2("gw"), Slots: map[string]acks.Slot{slot: {Running: []string{w.plugins[key].wanted.Hash}}}}})
	w.turn()
	if len(w.good.content[key]) != 1 {
		t.Errorf("last good %v, want the variant that the other replica's proxy runs", w.good.content)
	}
}

func TestThePodsOfAGatewayThatSomebodyElseProgramsAreNotItsProxies(t *testing.T) {
	w, key, slot := guarded(t)
	gw := ingress("gw")
	gw.Spec.GatewayClassName = "somebody-elses"
	w.apply(gw)
	w.SetPod(named2("gw"), Pod{Name: "gw-pod", Counts: true}, false)
	h := w.registry.Connect("router~10.0.0.1~gw-pod.default~default.svc", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	w.reports(h, key, slot)
	w.turn()
	if got := w.proxies(key); got.Running != 1 || got.Total != 1 {
		t.Errorf("%d/%d, want 1/1", got.Running, got.Total)
	}
}

func TestWhereProxiesWereProvisionedThePodsOfAnotherControllerAreNotMissed(t *testing.T) {
	w, key, slot := guarded(t)
	w.SetPod(named2("gw"), Pod{Name: "gw-istio-1", Counts: true}, false)
	w.turn()
	if got := w.proxies(key); got.Total != 1 {
		t.Fatalf("%+v, want the Pod that somebody made to be missed", got)
	}
	w.SetPod(named2("gw"), Pod{Name: "gw-wasmpoint-1", Counts: true, Ours: true}, false)
	h := w.registry.Connect("gw-wasmpoint-1", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	w.reports(h, key, slot)
	w.turn()
	if got := w.proxies(key); got.Running != 1 || got.Total != 1 {
		t.Errorf("%+v, want 1/1", got)
	}
}

func TestAProxyThatMovedToAnotherReplicaCountsOnce(t *testing.T) {
	w, key, slot := guarded(t)
	w.SetPeer("replica-2", []acks.Proxy{{ID: "a", Gateway: named2("gw"), Connected: w.now.Add(-time.Minute)}})
	here := w.registry.Connect("a", named2("gw"), "1.40.0", w.now)
	defer here.Disconnect()
	w.reports(here, key, slot)
	w.turn()
	if got := w.proxies(key); got.Running != 1 || got.Total != 1 {
		t.Errorf("%d/%d, want 1/1: the later connection counts", got.Running, got.Total)
	}
}

func TestAReadyPodWhoseProxyIsNotConnectedIsMissedByName(t *testing.T) {
	w, key, slot := guarded(t)
	w.SetPod(named2("gw"), Pod{Name: "gw-1", Counts: true}, false)
	w.SetPod(named2("gw"), Pod{Name: "gw-2", Counts: true}, false)
	w.SetPod(named2("gw"), Pod{Name: "gw-starting"}, false)
	h := w.registry.Connect("gw-1", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	w.reports(h, key, slot)
	w.turn()
	got := w.proxies(key)
	if got.Running != 1 || got.Total != 2 || !slices.Contains(got.Notes, "not connected: gw-2") {
		t.Errorf("%+v, want 1/2 and the name of the missing one", got)
	}
	w.SetPod(named2("gw"), Pod{Name: "gw-2"}, true)
	w.turn()
	if got := w.proxies(key); got.Total != 1 {
		t.Errorf("total %d after the Pod is gone, want 1", got.Total)
	}
}

func TestAProxyThatCrashesAgainAndAgainStaysInTheCountForAWhile(t *testing.T) {
	w, key, slot := guarded(t)
	w.opts.Remember = time.Minute
	h := w.registry.Connect("hand-made", named2("gw"), "1.40.0", w.now)
	w.reports(h, key, slot)
	w.ProxyChanged(acks.Change{Gateway: named2("gw")})
	w.turn()
	h.Disconnect()
	w.ProxyChanged(acks.Change{Gateway: named2("gw")})
	w.turn()
	if got := w.proxies(key); got.Running != 0 || got.Total != 1 || strings.Join(got.Notes, "") != "not connected: hand-made" {
		t.Errorf("%+v after it left, want 0/1 with its name", got)
	}
	if d := w.told(func() { w.now = w.now.Add(2 * time.Minute) }); len(d.Plugins) != 1 {
		t.Errorf("marked %+v when its time is over, want the plugin", d)
	}
	if got := w.proxies(key); got.Total != 0 {
		t.Errorf("total %d when its time is over, want 0", got.Total)
	}
}

// told gathers what OnStatus is told in one turn.
func (w *world) told(f func()) status.Dirty {
	w.t.Helper()
	var out status.Dirty
	w.opts.OnStatus = func(d status.Dirty) {
		out.Plugins = append(out.Plugins, d.Plugins...)
		out.Gateways = append(out.Gateways, d.Gateways...)
		out.Services = append(out.Services, d.Services...)
	}
	f()
	w.turn()
	w.opts.OnStatus = nil
	return out
}

func TestAnAcknowledgementMarksThePluginsOfItsSlotAlone(t *testing.T) {
	w, key, slot := guarded(t)
	other := plugin("elsewhere", one, 1, model.TargetRef{Group: target.Group, Kind: "Gateway", Namespace: "default", Name: "gw2"})
	w.apply(ingress("gw2"), other)
	d := w.told(func() { w.ProxyChanged(acks.Change{Gateway: named2("gw"), Slot: slot}) })
	if !slices.Equal(d.Plugins, []model.Key{key}) || len(d.Gateways)+len(d.Services) != 0 {
		t.Errorf("marked %+v, want plugin p alone", d)
	}
}

func TestAPluginMarksTheTargetsThatItAffectsAndThoseThatItLeft(t *testing.T) {
	w, key, _ := guarded(t)
	w.apply(ingress("gw2"))
	moved := plugin("p", one, 2, model.TargetRef{Group: target.Group, Kind: "Gateway", Namespace: "default", Name: "gw2"})
	d := w.told(func() { w.Apply(events(moved), w.network, nil, nil) })
	slices.SortFunc(d.Gateways, func(a, b types.NamespacedName) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Equal(d.Gateways, []types.NamespacedName{named2("gw"), named2("gw2")}) {
		t.Errorf("Gateways %v, want the old one and the new one", d.Gateways)
	}
	target2 := status.TargetKey{Kind: "Gateway", NamespacedName: named2("gw2")}
	if got := w.affecting(target2); !slices.Equal(got, []model.Key{key}) {
		t.Errorf("gw2 is affected by %v, want p", got)
	}
	d = w.told(func() {
		w.Apply(events(store.Ref{Kind: store.KindWasmPlugin, NamespacedName: key.NamespacedName()}), w.network, nil, nil)
	})
	if !slices.Equal(d.Gateways, []types.NamespacedName{named2("gw2")}) || !slices.Contains(d.Plugins, key) {
		t.Errorf("marked %+v after the deletion, want the plugin and gw2", d)
	}
}

func TestAFollowerLearnsWhatTheLeaderFoundGood(t *testing.T) {
	w := newWorld(t)
	w.apply(ingress("gw"), plugin("p", one, 2, target)) // its module is nowhere to be had
	older := build.NewVariant(plugin("p", one, 1, target), "d1")
	w.Learn(map[model.Key][]*build.Variant{older.Plugin: {older}})
	w.turn()
	if got := digests(w.entry("p")); !slices.Equal(got, []string{"d1"}) {
		t.Errorf("variants %v, want the learnt one", got)
	}
	if w.entry("p").Pending {
		t.Error("the plugin is still waited for")
	}
	w.Learn(map[model.Key][]*build.Variant{older.Plugin: {older}})
	if d := w.told(func() {}); len(d.Plugins) != 0 {
		t.Errorf("marked %v for what was known", d.Plugins)
	}
}

func TestTheLastValidFormOfAPluginStaysInForceAlsoOverARestart(t *testing.T) {
	w, key, slot := guarded(t)
	h := w.registry.Connect("a", named2("gw"), "1.40.0", w.now)
	defer h.Disconnect()
	w.reports(h, key, slot)
	w.ProxyRuns(w.plugins[key].wanted.Hash)
	w.turn()
	invalid := plugin("p", one, 2)
	invalid.Invalid = "spec.phase: no such phase"
	w.apply(invalid)
	check := func(w *world) {
		t.Helper()
		if got := digests(w.entry("p")); !slices.Equal(got, []string{"d1"}) {
			t.Errorf("variants %v, want the first form in its slot", got)
		}
		in := w.input(w.plugins[key], w.fleet())
		if in.Plugin.Generation != 1 || in.Generation != 2 || in.Superseded != invalid.Invalid {
			t.Errorf("status input: form of generation %d, object's generation %d, superseded %q", in.Plugin.Generation, in.Generation, in.Superseded)
		}
	}
	check(w)
	again := newWorldWith(t, w.modules, w.good, fakeNetwork{})
	again.apply(ingress("gw"), invalid)
	check(again)

	never := newWorld(t)
	never.apply(ingress("gw"), invalid)
	if p := never.plugins[key].plugin; p.Superseded != nil || p.Invalid == "" {
		t.Errorf("%+v: a plugin that was never valid cannot have another form", p)
	}
}

func TestAListThatTheSaverMayBeReadingIsNotChanged(t *testing.T) {
	s := &pluginState{wanted: build.NewVariant(plugin("p", one, 1, target), "d1")}
	s.promote()
	saved := s.good
	s.wanted = build.NewVariant(plugin("p", one, 2, target), "d1") // elsewhere, and the same to run
	if !s.promote() || saved[0].Generation != 1 || s.good[0].Generation != 2 {
		t.Errorf("saved generation %d, good generation %d; want 1 and 2", saved[0].Generation, s.good[0].Generation)
	}
}
