package delivery_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// The limits below only end a broken test; on an idle machine everything happens in a fraction.
const (
	soon  = 30 * time.Second
	while = 500 * time.Millisecond
)

// load asks a scope without a pause until stop; failed counts everything but a 200, open the 200s without the plugin.
type load struct {
	sent, failed, open atomic.Int64
	mustHave           atomic.Pointer[string]
	first              atomic.Pointer[string]
	end                chan struct{}
	wg                 sync.WaitGroup
}

func (w *world) load(port int32) *load {
	l := &load{end: make(chan struct{})}
	for range 4 {
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			for {
				select {
				case <-l.end:
					return
				case <-time.After(2 * time.Millisecond):
				}
				must := l.mustHave.Load()
				status, plugins, err := w.get(port)
				l.sent.Add(1)
				if err != nil || status != 200 {
					l.failed.Add(1)
					text := fmt.Sprintf("status %d, error %v", status, err)
					l.first.CompareAndSwap(nil, &text)
				} else if must != nil && plugins != *must {
					l.open.Add(1)
					text := fmt.Sprintf("plugins %q instead of %q", plugins, *must)
					l.first.CompareAndSwap(nil, &text)
				}
			}
		}()
	}
	return l
}

// from now on every answer has to carry exactly these plugins.
func (l *load) from(plugins string) { l.mustHave.Store(&plugins) }

func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.end)
	l.wg.Wait()
	if l.failed.Load() > 0 || l.open.Load() > 0 {
		t.Errorf("of %d requests %d failed and %d passed without the plugin; the first: %s", l.sent.Load(), l.failed.Load(), l.open.Load(), *l.first.Load())
	}
	t.Logf("%d requests, %d failed, %d without the plugin", l.sent.Load(), l.failed.Load(), l.open.Load())
}

func (w *world) stays(port int32, status int, plugins string) {
	w.t.Helper()
	for end := time.Now().Add(while); time.Now().Before(end); {
		s, p, err := w.get(port)
		if err != nil || s != status || p != plugins {
			w.t.Fatalf("status %d, plugins %q, error %v; want %d and %q to stay", s, p, err, status, plugins)
		}
	}
}

func TestARunningProxyTakesAModuleThatItDoesNotHaveWithoutAFailedRequest(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("a module")
	w.modules.set(digest, 300*time.Millisecond, false)
	w.envoy()
	w.wants(80, soon, 200, "")
	l := w.load(80)
	e, _ := w.plugin("a", digest, "one")
	w.set(80, model.PhaseAuthn, e)
	w.wants(80, soon, 200, "one")
	l.from("one")
	if n := w.modules.fetched(digest); n != 1 {
		t.Errorf("the proxy fetched the module %d times, want once", n)
	}
	for i := range 20 {
		e, _ = w.plugin("a", digest, fmt.Sprint("config ", i))
		l.mustHave.Store(nil)
		w.set(80, model.PhaseAuthn, e)
		w.wants(80, soon, 200, fmt.Sprint("config ", i))
	}
	l.stop(t)
}

func TestAStartingProxyNeverServesWithoutThePlugin(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("slow")
	w.modules.set(digest, time.Second, false)
	e, _ := w.plugin("a", digest, "auth")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	testbed.Eventually(t, soon, "a first answer", func() (bool, string) {
		status, plugins, err := w.get(80)
		if err != nil {
			return false, err.Error() // the listener waits
		}
		if status != 200 || plugins != "auth" {
			t.Fatalf("the first answered request: status %d, plugins %q; want 200 with the plugin", status, plugins)
		}
		return true, ""
	})
	w.stays(80, 200, "auth")
}

func TestARefusedConfigurationLeavesTheLastGoodOneAndARetryWithAGoodOneApplies(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	w.set(80, model.PhaseAuthn, good)
	w.envoy()
	w.wants(80, soon, 200, "good")
	l := w.load(80)
	l.from("good")
	bad, badVariant := w.refusing("a", digest)
	bad.Variants = append(bad.Variants, goodVariant)
	w.set(80, model.PhaseAuthn, bad)
	if text := w.refusal(soon, badVariant); text != "Unable to create Wasm plugin default.a" {
		t.Errorf("refusal %q, want Envoy's own text", text)
	}
	w.stays(80, 200, "good")
	l.mustHave.Store(nil)
	again, _ := w.plugin("a", digest, "again")
	w.set(80, model.PhaseAuthn, again)
	w.wants(80, soon, 200, "again")
	// The refused content once more, then the good one: nothing may be taken for what the proxy "was sent" before.
	w.set(80, model.PhaseAuthn, bad)
	w.wants(80, soon, 200, "good")
	w.set(80, model.PhaseAuthn, again)
	w.wants(80, soon, 200, "again")
	l.stop(t)
}

func TestARefusedPluginDoesNoHarmToItsNeighbour(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	bad, badVariant := w.refusing("bad", digest)
	good := func(config string) build.Entry { e, _ := w.plugin("good", digest, config); return e }
	w.set(80, model.PhaseAuthn, good("one"))
	w.envoy()
	w.wants(80, soon, 200, "one")

	bad.Fail = model.FailOpen
	w.set(80, model.PhaseAuthn, bad, good("one"))
	w.refusal(soon, badVariant)
	w.stays(80, 200, "one")
	w.set(80, model.PhaseAuthn, bad, good("two")) // the good one changed
	w.wants(80, soon, 200, "two")
	w.set(80, model.PhaseAuthn, bad) // the good one deleted
	w.wants(80, soon, 200, "")
	w.set(80, model.PhaseAuthn, bad, good("three"))
	w.wants(80, soon, 200, "three")

	for _, p := range []int32{80} { // a fresh proxy
		w.ports[p] = testbed.FreePort(t)
	}
	w.relisten(80)
	w.envoy()
	w.wants(80, soon, 200, "three")

	bad.Fail = model.FailClose // now it fails closed: an error in its place, and not a bypass
	w.set(80, model.PhaseAuthn, bad, good("four"))
	w.wants(80, soon, 503, "")
}

func TestOfThreeSlotsChangedAtOnceTheTwoGoodOnesApply(t *testing.T) {
	w := newWorld(t, 80, 81, 82)
	digest := w.marker("m")
	w.envoy()
	for _, p := range []int32{80, 81, 82} {
		w.wants(p, soon, 200, "")
	}
	a, _ := w.plugin("a", digest, "a")
	b, badVariant := w.refusing("b", digest)
	c, _ := w.plugin("c", digest, "c")
	slot := func(port int32, e build.Entry) *build.Slot {
		return &build.Slot{Name: names.Slot(model.Scope{Gateway: gateway, Port: port}, model.PhaseAuthn), Entries: []build.Entry{e}}
	}
	slots := map[string]*build.Slot{}
	for _, s := range []*build.Slot{slot(80, a), slot(81, b), slot(82, c)} {
		slots[s.Name] = s
	}
	w.hub.Group(gateway).Apply(cache.Change{Slots: slots})
	w.wants(80, soon, 200, "a")
	w.wants(82, soon, 200, "c")
	w.refusal(soon, badVariant)
	w.wants(81, soon, 503, "")
}

func TestASlowModuleOfOneScopeHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t, 80)
	slow := w.marker("slow")
	w.modules.set(slow, 4*time.Second, false)
	quick := w.marker("quick")
	w.envoy()
	w.wants(80, soon, 200, "")
	e, _ := w.plugin("slow", slow, "slow")
	w.set(80, model.PhaseAuthn, e)

	begin := time.Now()
	w.ports[81] = testbed.FreePort(t) // a Service is bound meanwhile, with a plugin of its own
	q, _ := w.plugin("quick", quick, "quick")
	w.bind(81, q)
	w.wants(81, soon, 200, "quick")
	if took := time.Since(begin); w.modules.fetched(slow) == 0 || took > 4*time.Second {
		t.Errorf("the new scope answered after %s; it must not wait for the other's module (asked for %d times)", took, w.modules.fetched(slow))
	}
	w.wants(80, soon, 200, "slow")
}

func TestAModuleThatTheProxyCannotFetchFailsClosedAndHeals(t *testing.T) {
	w := newWorld(t)
	w.wait = time.Second
	w.restartControlPlane()
	digest := w.marker("m")
	w.modules.set(digest, 0, true)
	e, v := w.plugin("a", digest, "auth")
	w.ports[80] = testbed.FreePort(t)
	w.bind(80, e)
	w.envoy()
	w.wants(80, soon, 503, "") // the proxy becomes ready, and answers with an error that names the plugin
	if body := w.body(80); body != "wasmpoint: plugin default/a cannot run and its failStrategy is FAIL_CLOSE\n" {
		t.Errorf("body %q", body)
	}
	w.modules.set(digest, 0, false)
	w.wants(80, soon, 200, "auth")
	for _, p := range w.registry.Proxies(gateway) {
		if r, refused := p.Refused[v.Hash]; refused {
			t.Errorf("healed, but still refused: %s", r.Text)
		}
	}
}

func TestNoPluginIsAPassThroughAndNeverARemoval(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	e, _ := w.plugin("a", digest, "one")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	w.wants(80, soon, 200, "one")
	l := w.load(80)
	for i := range 10 {
		w.set(80, model.PhaseAuthn)
		w.wants(80, soon, 200, "")
		e, _ := w.plugin("a", digest, fmt.Sprint(i))
		w.set(80, model.PhaseAuthn, e)
		w.wants(80, soon, 200, fmt.Sprint(i))
	}
	l.stop(t)
}

func TestARestartOfTheControlPlaneChangesNothingOnTheProxies(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	e, _ := w.plugin("a", digest, "one")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	w.wants(80, soon, 200, "one")
	l := w.load(80)
	l.from("one")
	w.restartControlPlane()
	w.connected()
	w.stays(80, 200, "one")
	if n := w.modules.fetched(digest); n != 1 {
		t.Errorf("the module was fetched %d times, want once", n)
	}
	// A restart in the middle of a change: the new module is on its way.
	next := w.marker("next")
	w.modules.set(next, time.Second, false)
	e2, _ := w.plugin("a", next, "two")
	e2.Variants = append(e2.Variants, e.Variants...)
	w.set(80, model.PhaseAuthn, e2)
	testbed.Eventually(t, soon, "the fetch begins", func() (bool, string) { return w.modules.fetched(next) > 0, "" })
	w.stopControlPlane()
	w.stays(80, 200, "one")
	w.startControlPlane()
	l.mustHave.Store(nil)
	w.wants(80, soon, 200, "two")
	l.from("two")
	// And while the module of the running plugin is nowhere to be had.
	w.modules.set(next, 0, true)
	w.restartControlPlane()
	w.connected()
	w.stays(80, 200, "two")
	l.stop(t)
}

func TestARestartedControlPlaneThatDoesNotKnowTheModuleYetLeavesTheProxyAlone(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	e, _ := w.plugin("a", digest, "auth")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	w.wants(80, soon, 200, "auth")
	l := w.load(80)
	l.from("auth")
	w.stopControlPlane()
	w.set(80, model.PhaseAuthn, build.Entry{Plugin: e.Plugin, Fail: e.Fail, Pending: true})
	w.startControlPlane()
	w.connected()
	w.stays(80, 200, "auth")
	w.set(80, model.PhaseAuthn, e)
	w.stays(80, 200, "auth")
	l.stop(t)
}

func TestAProxyThatRestartsServesThePluginFromItsFirstAnswer(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	e, _ := w.plugin("a", digest, "auth")
	w.set(80, model.PhaseAuthn, e)
	first := w.envoy()
	w.wants(80, soon, 200, "auth")
	first.Kill()
	client.CloseIdleConnections()
	w.envoy()
	testbed.Eventually(t, soon, "a first answer", func() (bool, string) {
		status, plugins, err := w.get(80)
		if err != nil {
			return false, err.Error()
		}
		if status != 200 || plugins != "auth" {
			t.Fatalf("first answer: status %d, plugins %q", status, plugins)
		}
		return true, ""
	})
}

func TestPluginsRunInTheOrderOfTheSlot(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	var list []build.Entry
	for _, n := range []string{"c", "a", "b"} {
		e, _ := w.plugin(n, digest, n)
		list = append(list, e)
	}
	w.set(80, model.PhaseAuthn, list...)
	w.envoy()
	w.wants(80, soon, 200, "b,a,c") // responses pass the chain backwards
	w.set(80, model.PhaseAuthn, list[2], list[1], list[0])
	w.wants(80, soon, 200, "c,a,b")
}

func TestAProxyIsReadyThoughTheControlPlaneCameLater(t *testing.T) {
	w := newWorld(t, 80)
	w.stopControlPlane()
	w.envoy()
	if c, err := net.DialTimeout("tcp", testbed.Address(w.ports[80]), while); err == nil {
		_ = c.Close()
		t.Fatal("the listener is open before the first configuration")
	}
	w.startControlPlane()
	w.wants(80, soon, 200, "")
}

// connected waits until a proxy is connected and all its slots are settled.
func (w *world) connected() {
	w.t.Helper()
	testbed.Eventually(w.t, soon, "the proxy reconnects", func() (bool, string) {
		list := w.registry.Proxies(gateway)
		return len(list) > 0, fmt.Sprint(len(list), " proxies")
	})
}

// bind adds a scope with its listener while proxies are connected.
func (w *world) bind(port int32, authn ...build.Entry) {
	w.t.Helper()
	scope := model.Scope{Gateway: gateway, Port: port}
	slots := map[string]*build.Slot{}
	var list []string
	for _, ph := range model.Phases {
		name := names.Slot(scope, ph)
		slots[name] = &build.Slot{Name: name}
		list = append(list, name)
	}
	slots[list[0]].Entries = authn
	w.hub.Group(gateway).Apply(cache.Change{Slots: slots, Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {names.Listener(scope): listener(w.t, names.Listener(scope), w.ports[port], list)},
	}})
}

// relisten moves a scope's listener to its new port and keeps its slots.
func (w *world) relisten(port int32) {
	scope := model.Scope{Gateway: gateway, Port: port}
	var list []string
	for _, ph := range model.Phases {
		list = append(list, names.Slot(scope, ph))
	}
	w.hub.Group(gateway).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {names.Listener(scope): listener(w.t, names.Listener(scope), w.ports[port], list)},
	}})
}

func (w *world) restartControlPlane() {
	w.t.Helper()
	w.stopControlPlane()
	w.startControlPlane()
}
