package delivery_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// A refusal on the stream of the slots would end the warming of all of them: LIVE, with 500 for every request.
func TestSlotsThatWarmNeverAnswerBeforeTheirContentWhileOthersAreRefused(t *testing.T) {
	scopes := []int32{80, 81, 82, 83, 84}
	w := newWorld(t, scopes...)
	present := w.marker("present")
	bad, badVariant := w.refusing("bad", present)
	bad.Fail = model.FailOpen
	broken, brokenVariant := w.plugin("broken", w.modules.add(wasmtest.Unlinkable(t)), "broken")
	broken.Fail = model.FailOpen
	want := map[int32]string{}
	for i, p := range scopes {
		digest := w.marker(fmt.Sprint("slow ", i))
		w.modules.set(digest, time.Duration(i)*400*time.Millisecond, false)
		e, _ := w.plugin(fmt.Sprint("p", i), digest, fmt.Sprint("mark-", i))
		want[p] = fmt.Sprint("mark-", i)
		switch i {
		case 1:
			w.set(p, model.PhaseAuthn, bad, e)
		case 3:
			w.set(p, model.PhaseAuthn, e, broken)
		default:
			w.set(p, model.PhaseAuthn, e)
		}
	}
	w.envoy()
	var wg sync.WaitGroup
	for _, p := range scopes {
		wg.Go(func() {
			for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(time.Millisecond) {
				status, plugins, err := w.get(p)
				if err != nil {
					continue // the listener waits
				}
				if status != 200 || plugins != want[p] {
					t.Errorf("port %d: the first answer has status %d and plugins %q, want 200 and %q", p, status, plugins, want[p])
				}
				return
			}
			t.Errorf("port %d: no answer within %s", p, soon)
		})
	}
	wg.Wait()
	w.refusal(soon, badVariant)
	w.refusal(soon, brokenVariant)
	for _, p := range scopes {
		w.wants(p, soon, 200, want[p])
	}
}
