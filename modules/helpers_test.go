package modules_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/modules"
)

// fakeClock moves only when told to.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[int]*fakeTimer
	next   int
}

type fakeTimer struct {
	at time.Time
	f  func()
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), timers: map[int]*fakeTimer{}}
}

func (c *fakeClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *fakeClock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	c.timers[id] = &fakeTimer{c.now.Add(d), f}
	return func() { c.mu.Lock(); defer c.mu.Unlock(); delete(c.timers, id) }
}

// planned is the number of timers that were ever set.
func (c *fakeClock) planned() int { c.mu.Lock(); defer c.mu.Unlock(); return c.next }

// advance moves the clock and runs what is due, in goroutines as the real one does.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for id, t := range c.timers {
		if !t.at.After(c.now) {
			delete(c.timers, id)
			go t.f()
		}
	}
}

// world is a Manager under test with a way to wait for states.
type world struct {
	*modules.Manager
	t  *testing.T
	ch chan struct{}
}

func start(t *testing.T, o modules.Options) *world {
	t.Helper()
	o.Files = "/"
	return startAs(t, o)
}

// startAs is start with a folder of files, or none.
func startAs(t *testing.T, o modules.Options) *world {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 1 }
	}
	m, err := modules.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{m, t, make(chan struct{}, 1)}
	m.Subscribe(func(string) {
		select {
		case w.ch <- struct{}{}:
		default:
		}
	})
	t.Cleanup(m.Close)
	return w
}

// await waits until the owner's state fulfils the condition.
func (w *world) await(owner string, ok func(modules.State) bool) modules.State {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s := w.State(owner)
		if ok(s) {
			return s
		}
		select {
		case <-w.ch:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			w.t.Fatalf("%s stays at %+v", owner, s)
		}
	}
}

func ready(s modules.State) bool { return s.Ready }

func failedTimes(n int) func(modules.State) bool {
	return func(s modules.State) bool { return s.Attempts >= n }
}

func has(digest string) func(modules.State) bool {
	return func(s modules.State) bool { return s.Ready && s.Digest == digest }
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		<-tick.C
	}
}
