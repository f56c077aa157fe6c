package delivery_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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
				} else if must != nil && l.mustHave.Load() == must && plugins != *must {
					l.open.Add(1)
					text := fmt.Sprintf("plugins %q instead of %q", plugins, *must)
					l.first.CompareAndSwap(nil, &text)
				}
			}
		}()
	}
	return l
}

// from now on every answer has to carry exactly these plugins. A request that was under way while the demand changed is
// not judged: either answer is right.
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
