package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// slotRefusal is the text of the proxy's last refusal of a scope's first slot itself, "" if it refused none.
func (w *world) slotRefusal(port int32) string {
	name := names.Slot(model.Scope{Gateway: gateway, Port: port}, model.PhaseAuthn)
	for _, p := range w.registry.Proxies(gateway) {
		if r := p.Slots[name].Refusal; r != nil {
			return r.Text
		}
	}
	return ""
}

func TestAConfigurationRefusedInItsSlotFailsNoRequestAndItsNeighboursChangeArrives(t *testing.T) {
	w := newWorld(t, 80, 81)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	neighbour := func(mark string) build.Entry { e, _ := w.plugin("b", digest, mark); return e }
	w.set(80, model.PhaseAuthn, good, neighbour("b0"))
	w.set(81, model.PhaseAuthn, good)
	w.envoy()
	w.wants(80, soon, 200, "b0,good")
	w.wants(81, soon, 200, "good")
	l, other := w.load(80), w.load(81)
	other.from("good") // another slot of the stream, which is told of every refusal
	for i := range 10 {
		bad, badVariant := w.entry("a", digest, fmt.Sprintf(`{"name":"refusing","refuse":true,"try":"%d"}`, i))
		bad.Variants = append(bad.Variants, goodVariant)
		mark := fmt.Sprint("b", i+1)
		w.set(80, model.PhaseAuthn, bad, neighbour(mark)) // both change, in one slot
		w.refusal(soon, badVariant)
		w.wants(80, soon, 200, mark+",good")
	}
	w.set(80, model.PhaseAuthn, good, neighbour("last"))
	w.wants(80, soon, 200, "last,good")
	l.stop(t)
	other.stop(t)
}

func TestOnlyTheSlotThatIsRefusedKeepsItsLastGood(t *testing.T) {
	w := newWorld(t, 80, 81)
	digest := w.marker("m")
	a, aVariant := w.plugin("a", digest, "a0")
	b, _ := w.plugin("b", digest, "b0")
	w.set(80, model.PhaseAuthn, a)
	w.set(81, model.PhaseAuthn, b)
	w.envoy()
	w.wants(80, soon, 200, "a0")
	w.wants(81, soon, 200, "b0")
	l, other := w.load(80), w.load(81)
	l.from("a0")
	for i := range 10 { // both are under way at once
		bad, badVariant := w.entry("a", digest, fmt.Sprintf(`{"name":"refusing","refuse":true,"try":"%d"}`, i))
		bad.Variants = append(bad.Variants, aVariant)
		mark := fmt.Sprint("b", i+1)
		b, _ = w.plugin("b", digest, mark)
		w.set(80, model.PhaseAuthn, bad)
		w.set(81, model.PhaseAuthn, b)
		w.wants(81, soon, 200, mark)
		w.refusal(soon, badVariant)
	}
	if got, want := w.slotRefusal(80), "Unable to create Wasm plugin default.a"; got != want {
		t.Errorf("the slot's refusal is %q, want %q: it was to go straight in", got, want)
	}
	if got := w.slotRefusal(81); got != "" {
		t.Errorf("the other slot was refused: %s", got)
	}
	l.stop(t)
	other.stop(t)
}

func TestWhileAnotherSlotWarmsAChangeGoesThroughTheLane(t *testing.T) {
	w := newWorld(t, 80)
	w.ports[81] = w.freePort()
	digest, slow := w.marker("m"), w.marker("slow")
	good, goodVariant := w.plugin("a", digest, "good")
	w.modules.set(slow, 3*time.Second, false)
	warming, _ := w.plugin("slow", slow, "slow")
	w.set(80, model.PhaseAuthn, good)
	w.envoy()
	w.wants(80, soon, 200, "good")
	l := w.load(80)
	l.from("good")
	w.bind(81, warming)
	bad, badVariant := w.refusing("a", digest)
	bad.Variants = append(bad.Variants, goodVariant)
	w.set(80, model.PhaseAuthn, bad)
	if text := w.refusal(soon, badVariant); text != "Unable to create Wasm plugin default.a" {
		t.Errorf("refusal %q, want Envoy's own text", text)
	}
	if got := w.slotRefusal(80); got != "" {
		t.Errorf("the slot itself was refused (%s) while another one was warming", got)
	}
	w.firstAnswer(81, "slow")
	l.stop(t)
}

func TestAListenerThatComesWhileConfigurationsAreRefusedNeverAnswersWithoutItsPlugin(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	good, goodVariant := w.plugin("a", digest, "good")
	w.set(80, model.PhaseAuthn, good)
	const first, last = 81, 88
	for port := int32(first); port <= last; port++ {
		w.ports[port] = w.freePort()
	}
	w.envoy()
	w.wants(80, soon, 200, "good")
	l := w.load(80)
	l.from("good")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // refusals without a pause
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			bad, _ := w.entry("a", digest, fmt.Sprintf(`{"name":"refusing","refuse":true,"try":"%d"}`, i))
			bad.Variants = append(bad.Variants, goodVariant)
			w.set(80, model.PhaseAuthn, bad)
		}
	}()
	testbed.Eventually(t, soon, "a refusal in the slot", func() (bool, string) { return w.slotRefusal(80) != "", "" })
	for port := int32(first); port <= last; port++ {
		slow := w.marker(fmt.Sprint("slow ", port))
		w.modules.set(slow, 100*time.Millisecond, false)
		e, _ := w.plugin("new", slow, "new")
		w.bind(port, e)
		w.firstAnswer(port, "new")
	}
	close(stop)
	<-done
	l.stop(t)
}
