package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

const (
	seeds = 8
	steps = 300
)

// TestWhatTheCacheHoldsIsAFunctionOfObjectsModulesAndAcknowledgements does hundreds of random steps and checks after each
// that every slot named in a listener is there, and that what concerns plugins changes no listener; and now and then that
// an engine that is given the same state at once comes to the same content.
func TestWhatTheCacheHoldsIsAFunctionOfObjectsModulesAndAcknowledgements(t *testing.T) {
	for seed := range uint64(seeds) {
		d := newDice(seed)
		w := newWorld(t)
		watchers := map[types.NamespacedName]*watcher{}
		for _, gw := range allGateways() {
			watchers[gw] = &watcher{}
			w.hub.Group(gw).Watch(watchers[gw])
		}
		objects := map[store.Ref]any{}
		for step := range steps {
			what, plugins := w.randomStep(d, objects)
			where := fmt.Sprintf("seed %d step %d (%s)", seed, step, what)
			for gw, watch := range watchers {
				w.checkUpdates(where, gw, watch, plugins)
			}
			if step%3 == 2 || step == steps-1 {
				w.wait(time.Minute) // no plugin is pending any more: what is, depends on when it began
				w.compareWithFresh(where, d, objects)
				for _, watch := range watchers {
					watch.updates = nil
				}
			}
		}
	}
}

// randomStep does one thing. plugins tells that it concerns plugins and their modules alone.
func (w *world) randomStep(d *dice, objects map[store.Ref]any) (what string, plugins bool) {
	w.t.Helper()
	switch d.IntN(8) {
	case 0:
		url := d.of(urls...)
		digest := d.of("", "d1", "d2")
		w.module(url, digest, "PullDenied")
		return "module " + url + " is " + digest, true
	case 1:
		// What a proxy runs is a wanted variant, or one that was wanted a moment ago.
		for _, s := range w.plugins {
			if s.wanted != nil && d.one(2) {
				w.ProxyRuns(s.wanted.Hash)
			}
		}
		w.turn()
		return "proxies run something", true
	case 2:
		var refs []store.Ref
		for ref := range objects {
			if ref.Kind == store.KindGateway || ref.Kind == store.KindService {
				refs = append(refs, ref)
			}
		}
		slices.SortFunc(refs, func(a, b store.Ref) int { return slices.Compare([]string{a.String()}, []string{b.String()}) })
		if len(refs) == 0 {
			return "nothing", true
		}
		ref := refs[d.IntN(len(refs))]
		next := fakeNetwork{ref: []byte{0, 1, 2, 255}[d.IntN(4)]}
		for r, n := range w.network {
			if r != ref {
				next[r] = n
			}
		}
		w.network = next
		w.Apply(nil, next, []store.Ref{ref}, nil)
		w.turn()
		return "address of " + ref.String(), false
	}
	plugins = true
	var batch []any
	for range 1 + d.IntN(3) {
		object := d.object()
		ref, err := store.RefOf(object)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, ok := object.(*model.Plugin); !ok {
			plugins = false
		}
		if d.one(7) {
			batch = append(batch, ref)
			delete(objects, ref)
			what += " -" + ref.String()
			continue
		}
		batch = append(batch, object)
		objects[ref] = object
		what += " +" + ref.String()
	}
	w.apply(batch...)
	for ref, object := range objects {
		// An invalid form leaves the one before it in force: then that is the object.
		if p, is := object.(*model.Plugin); is {
			objects[ref] = w.store.Plugin(p.Key)
		}
	}
	// A class that is gone stays in force while Gateways use it.
	custom := store.Ref{Kind: store.KindGatewayClass, NamespacedName: types.NamespacedName{Name: "custom"}}
	if class := w.store.GatewayClass(custom.Name); class != nil {
		objects[custom] = class
	} else {
		delete(objects, custom)
	}
	return what, plugins
}

// checkUpdates checks what one gateway's streams were told in one turn.
func (w *world) checkUpdates(where string, gw types.NamespacedName, watch *watcher, plugins bool) {
	w.t.Helper()
	updates := watch.updates
	watch.updates = nil
	if len(updates) == 0 {
		return
	}
	apart := len(updates) == 2 && len(updates[0].Types)+len(updates[1].Types) == 0 && len(updates[0].Slots) < len(updates[1].Slots)
	if len(updates) > 1 && !apart {
		w.t.Fatalf("%s: %s is told %+v in one turn, want all in one step, or a narrow change of plugins before a wide one", where, gw, updates)
	}
	if plugins && len(updates[0].Types) > 0 {
		w.t.Fatalf("%s: a change of plugins alone changed %v of %s", where, updates[0].Types, gw)
	}
	if missing := missingSlots(w.t, w.hub.Group(gw)); len(missing) > 0 {
		w.t.Fatalf("%s: a listener of %s names slots that are not there: %v", where, gw, missing)
	}
}

// compareWithFresh builds the same state in another engine at once.
func (w *world) compareWithFresh(where string, d *dice, objects map[store.Ref]any) {
	w.t.Helper()
	modules := newFakeModules()
	modules.states = w.modules.states
	fresh := newWorldWith(w.t, modules, &memory{content: w.good.content}, w.network)
	var all []any
	for _, o := range objects {
		all = append(all, o)
	}
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	fresh.apply(all...)
	fresh.wait(time.Minute)
	got, want := content(w.hub, allGateways()), content(fresh.hub, allGateways())
	for _, line := range got {
		if !slices.Contains(want, line) {
			w.t.Errorf("%s: too much, or old: %s", where, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			w.t.Errorf("%s: missing: %s", where, line)
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

func TestTheSameObjectsInAnyOrderGiveEqualBytes(t *testing.T) {
	for seed := range uint64(20) {
		d := newDice(seed + 100)
		byRef := map[store.Ref]bool{}
		var objects []any
		for range 60 {
			o := d.object()
			ref, err := store.RefOf(o)
			if err != nil {
				t.Fatal(err)
			}
			if !byRef[ref] {
				byRef[ref] = true
				objects = append(objects, o)
			}
		}
		var first []string
		for i := range 5 {
			w := newWorld(t)
			w.modules.states[urls[0]] = readyState("d1")
			if i%2 == 0 {
				w.apply(objects...)
			} else {
				for _, o := range objects { // one by one
					w.apply(o)
				}
			}
			got := content(w.hub, allGateways())
			if i == 0 {
				first = got
			} else if !slices.Equal(got, first) {
				t.Fatalf("seed %d: another order gave other content:\n%v\n%v", seed, first, got)
			}
			d.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		}
	}
}

func TestAChangeTellsOnlyTheGatewaysThatItConcerns(t *testing.T) {
	use := map[string]string{"istio.io/use-waypoint": "way"}
	w := newWorld(t)
	w.modules.states["oci://r/one:1"] = readyState("d1")
	w.apply(
		ingress("gw"), ingress("other"), waypoint("way"), waypoint("away"),
		service("default", "web", nil, port("http", 80)), slice("default", "web", "web", "10.0.0.1"),
		service("default", "db", use, port("http", 80)), slice("default", "db", "db", "10.0.0.2"),
		route("default", "r", "default", "gw", "default", "web", 80),
	)
	all := map[string]*watcher{}
	for _, n := range []string{"gw", "other", "way", "away"} {
		all[n] = &watcher{}
		w.hub.Group(named2(n)).Watch(all[n])
	}
	gwTarget := model.TargetRef{Group: "gateway.networking.k8s.io", Kind: "Gateway", Namespace: "default", Name: "gw"}
	dbTarget := model.TargetRef{Kind: "Service", Namespace: "default", Name: "db"}
	changed := plugin("p", "oci://r/one:1", 2, gwTarget)
	changed.Wasm.Config = []byte(`{}`)
	for _, c := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a plugin for one gateway", func() { w.apply(plugin("p", "oci://r/one:1", 1, gwTarget)) }, []string{"gw"}},
		{"its configuration", func() { w.apply(changed) }, []string{"gw"}},
		{"a proxy that runs it", func() { w.ProxyRuns(w.entry("p").Wanted); w.turn() }, nil},
		{"its module", func() { w.module("oci://r/one:1", "d2", "") }, []string{"gw"}},
		{"a plugin for a Service", func() { w.apply(plugin("s", "oci://r/one:1", 1, dbTarget)) }, []string{"way"}},
		{"a Service that moves to another waypoint", func() {
			w.apply(service("default", "db", map[string]string{"istio.io/use-waypoint": "away"}, port("http", 80)))
		}, []string{"away", "way"}},
		{"endpoints of a Service at a gateway", func() { w.apply(slice("default", "web", "web", "10.0.0.3")) }, []string{"gw"}},
		{"endpoints of a Service at a waypoint", func() { w.apply(slice("default", "db", "db", "10.0.0.4")) }, []string{"away"}},
		{"endpoints that nobody uses", func() { w.apply(slice("default", "x", "x", "10.0.0.5")) }, nil},
		{"the same objects again", func() { w.apply(ingress("gw"), changed, slice("default", "db", "db", "10.0.0.4")) }, nil},
		{"a route", func() { w.apply(route("default", "r2", "default", "other", "default", "web", 80)) }, []string{"other"}},
		{"the end of a plugin", func() {
			w.apply(store.Ref{Kind: store.KindWasmPlugin, NamespacedName: named2("p")})
		}, []string{"gw"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.do()
			var told []string
			for n, watch := range all {
				if len(watch.updates) > 0 {
					told = append(told, n)
				}
				watch.updates = nil
			}
			slices.Sort(told)
			if !slices.Equal(told, c.want) {
				t.Errorf("told %v, want %v", told, c.want)
			}
		})
	}
}

var _ cache.Watcher = (*watcher)(nil)

func TestEndpointsOfABackendBuildNothingElse(t *testing.T) {
	w := newWorld(t)
	w.apply(ingress("gw"), service("default", "web", nil, port("http", 80), port("tcp", 81)), slice("default", "web", "web", "10.0.0.1"),
		route("default", "r", "default", "gw", "default", "web", 80), route("default", "t", "default", "gw", "default", "web", 81))
	routes, before := w.gateways[named2("gw")].routes, content(w.hub, allGateways())
	w.apply(slice("default", "web", "web", "10.0.0.2"))
	if w.gateways[named2("gw")].routes != routes {
		t.Error("the whole gateway was built anew")
	}
	changed := 0
	for _, line := range content(w.hub, allGateways()) {
		if !slices.Contains(before, line) {
			changed++
		}
	}
	if changed != 2 {
		t.Errorf("%d resources changed, want the endpoints of the two ports", changed)
	}
}
