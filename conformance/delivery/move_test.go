package delivery_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestAPluginThatMovesToAnotherPhaseMissesNoRequest(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	e, _ := w.plugin("auth", digest, "auth")
	w.set(80, model.PhaseAuthn, e)
	w.envoy()
	w.wants(80, soon, 200, "auth")

	var sent, failed, open atomic.Int64
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				case <-time.After(time.Millisecond):
				}
				status, plugins, err := w.get(80)
				sent.Add(1)
				if err != nil || status != 200 {
					failed.Add(1)
				} else if !strings.Contains(plugins, "auth") { // both slots may have it for a moment
					open.Add(1)
				}
			}
		})
	}
	from, to := model.PhaseAuthn, model.PhaseAuthz
	for i := range 30 {
		if i%3 == 2 { // with another configuration
			e, _ = w.plugin("auth", digest, "auth"+strings.Repeat("x", i))
		}
		slots := map[string]*build.Slot{}
		for phase, entries := range map[model.Phase][]build.Entry{from: nil, to: {e}} {
			name := names.Slot(model.Scope{Gateway: gateway, Port: 80}, phase)
			slots[name] = &build.Slot{Name: name, Entries: entries}
		}
		w.hub.Group(gateway).Apply(cache.Change{Slots: slots})
		w.settled(e, names.Slot(model.Scope{Gateway: gateway, Port: 80}, from), names.Slot(model.Scope{Gateway: gateway, Port: 80}, to))
		from, to = to, from
	}
	close(end)
	wg.Wait()
	if failed.Load()+open.Load() > 0 || sent.Load() == 0 {
		t.Errorf("of %d requests %d failed and %d passed without the plugin", sent.Load(), failed.Load(), open.Load())
	}
}

// settled waits until a plugin runs in one slot and no longer in the other.
func (w *world) settled(e build.Entry, from, to string) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, "the plugin moves from "+from+" to "+to, func() (bool, string) {
		list := w.registry.Proxies(gateway)
		return len(list) == 1 && list[0].Runs(to, e.Wanted) && len(list[0].Slots[from].Running) == 0, fmt.Sprint(list)
	})
}
