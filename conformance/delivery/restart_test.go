package delivery_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

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

func TestAProxyThatRestartsWhileItsModuleIsFetchedServesItFromItsFirstAnswer(t *testing.T) {
	w := newWorld(t, 80)
	old, oldVariant := w.plugin("a", w.marker("old"), "old")
	w.set(80, model.PhaseAuthn, old)
	first := w.envoy()
	w.wants(80, soon, 200, "old")
	digest := w.marker("next")
	w.modules.set(digest, 2*time.Second, false)
	next, _ := w.plugin("a", digest, "next")
	next.Variants = append(next.Variants, oldVariant)
	w.set(80, model.PhaseAuthn, next)
	testbed.Eventually(t, soon, "the fetch begins", func() (bool, string) { return w.modules.fetched(digest) > 0, "" })
	first.Kill()
	client.CloseIdleConnections()
	w.envoy()
	w.firstAnswer(80, "next", "old")
	w.wants(80, soon, 200, "next")
}

func TestAProxyThatRestartsAfterARefusalRunsTheLastGoodFromItsFirstAnswer(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	neighbour, _ := w.plugin("b", digest, "neighbour")
	w.set(80, model.PhaseAuthn, good, neighbour)
	first := w.envoy()
	w.wants(80, soon, 200, "neighbour,good")
	bad, badVariant := w.refusing("a", digest)
	bad.Variants = append(bad.Variants, goodVariant)
	w.set(80, model.PhaseAuthn, bad, neighbour)
	w.refusal(soon, badVariant)
	first.Kill()
	client.CloseIdleConnections()
	w.envoy()
	w.firstAnswer(80, "neighbour,good")
	w.refusal(soon, badVariant) // it was asked again, and refused again
	w.stays(80, 200, "neighbour,good")
}

func TestARestartOfTheControlPlaneWhileAProxyStartsOpensNothing(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("slow")
	w.modules.set(digest, time.Second, false)
	e, _ := w.plugin("a", digest, "auth")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	testbed.Eventually(t, soon, "the fetch begins", func() (bool, string) { return w.modules.fetched(digest) > 0, "" })
	w.restartControlPlane()
	w.firstAnswer(80, "auth")
	w.stays(80, 200, "auth")
}

func TestARestartOfTheControlPlaneAfterARefusalLeavesTheLastGoodInForce(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	neighbour, _ := w.plugin("b", digest, "neighbour")
	w.set(80, model.PhaseAuthn, good, neighbour)
	w.envoy()
	w.wants(80, soon, 200, "neighbour,good")
	l := w.load(80)
	l.from("neighbour,good")
	bad, badVariant := w.refusing("a", digest)
	bad.Variants = append(bad.Variants, goodVariant)
	w.set(80, model.PhaseAuthn, bad, neighbour)
	w.refusal(soon, badVariant)
	w.restartControlPlane()
	w.refusal(soon, badVariant) // the new one finds out by itself
	w.stays(80, 200, "neighbour,good")
	l.mustHave.Store(nil)
	changed, _ := w.plugin("b", digest, "changed")
	w.set(80, model.PhaseAuthn, bad, changed)
	w.wants(80, soon, 200, "changed,good")
	l.stop(t)
}

// firstAnswer waits for a restarted proxy's first answer, which has to carry one of the given plugins.
func (w *world) firstAnswer(port int32, plugins ...string) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, "a first answer", func() (bool, string) {
		status, got, err := w.get(port)
		if err != nil {
			return false, err.Error()
		}
		if status != 200 || !slices.Contains(plugins, got) {
			w.t.Fatalf("first answer: status %d, plugins %q; want 200 with one of %q", status, got, plugins)
		}
		return true, ""
	})
}
