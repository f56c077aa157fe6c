package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// The limits below only end a broken test; on an idle machine everything happens in a fraction.
const (
	soon  = 2 * time.Minute
	while = 500 * time.Millisecond
)

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
