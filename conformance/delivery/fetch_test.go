package delivery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func TestAFetchThatFailsLeavesTheOldModuleRunningAndHeals(t *testing.T) {
	w := newWorld(t, 80)
	old, oldVariant := w.plugin("a", w.marker("old"), "old")
	w.set(80, model.PhaseAuthn, old)
	w.envoy()
	w.wants(80, soon, 200, "old")
	l := w.load(80)
	l.from("old")
	digest := w.marker("next")
	w.modules.set(digest, 0, true)
	next, v := w.plugin("a", digest, "next")
	next.Variants = append(next.Variants, oldVariant)
	w.set(80, model.PhaseAuthn, next)
	if text := w.refusal(soon, v); !strings.HasPrefix(text, "the proxy was not seen to fetch the module: ") {
		t.Errorf("refusal %q, want one that says that the module is missing", text)
	}
	w.stays(80, 200, "old")
	l.mustHave.Store(nil)
	w.modules.set(digest, 0, false)
	begin := time.Now()
	w.wants(80, soon, 200, "next") // Envoy remembers a failed fetch for 10 s
	t.Logf("healed %s after the module could be had", time.Since(begin).Round(time.Millisecond))
	l.from("next")
	l.stop(t)
}

func TestManyModulesOneAfterAnotherFailNoRequest(t *testing.T) {
	w := newWorld(t, 80)
	w.envoy()
	w.wants(80, soon, 200, "")
	e, _ := w.plugin("a", w.marker("first"), "first")
	w.set(80, model.PhaseAuthn, e)
	w.wants(80, soon, 200, "first")
	l := w.load(80)
	for i := range 25 {
		digest := w.marker(fmt.Sprint("module ", i))
		next, _ := w.plugin("a", digest, fmt.Sprint(i))
		w.set(80, model.PhaseAuthn, next)
		w.wants(80, soon, 200, fmt.Sprint(i))
		if n := w.modules.fetched(digest); n != 1 {
			t.Errorf("module %d was fetched %d times, want once", i, n)
		}
	}
	l.stop(t)
}

func TestAModuleThatTakesLongToStartStopsNoRequest(t *testing.T) {
	w := newWorld(t, 80)
	e, old := w.plugin("a", w.marker("quick"), "quick")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	w.wants(80, soon, 200, "quick")
	l := w.load(80)
	l.from("quick")
	slow, _ := w.entry("a", w.marker("slow"), `{"name":"slow","slowStartMillis":1500}`)
	slow.Variants = append(slow.Variants, old)
	w.set(80, model.PhaseAuthn, slow)
	w.stays(80, 200, "quick")
	l.mustHave.Store(nil)
	w.wants(80, soon, 200, "slow")
	l.from("slow")
	l.stop(t)
}

func TestALaneThatBreaksIsOpenedAgainAndGoesOn(t *testing.T) {
	w := newWorld(t, 80)
	old, oldVariant := w.plugin("a", w.marker("old"), "old")
	w.set(80, model.PhaseAuthn, old)
	w.envoy()
	w.wants(80, soon, 200, "old")
	l := w.load(80)
	l.from("old")
	broken := 0
	for i := range 3 {
		digest := w.marker(fmt.Sprint("next ", i))
		w.modules.set(digest, 700*time.Millisecond, false)
		next, v := w.plugin("a", digest, fmt.Sprint("next ", i))
		next.Variants = append(next.Variants, oldVariant)
		w.set(80, model.PhaseAuthn, next)
		if i > 0 { // while the module is fetched, or right after the push
			testbed.Eventually(t, soon, "the fetch begins", func() (bool, string) { return w.modules.fetched(digest) > 0, "" })
		}
		broken += w.lanes.breakAll()
		l.mustHave.Store(nil)
		w.wants(80, soon, 200, fmt.Sprint("next ", i))
		l.from(fmt.Sprint("next ", i))
		oldVariant = v
	}
	if broken == 0 {
		t.Error("no lane was open, so none was broken")
	}
	l.stop(t)
}
