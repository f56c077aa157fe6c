package delivery_test

import (
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

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
