package kube

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	typedcoordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// Freshness tells whether what was watched can still be trusted. A watch that is cut off tells nothing, and so does a watch
// on which nothing happens; so one object is watched that changes every few seconds, the Lease that the leader renews. As
// long as it moves, the connection to the API server is alive. When it did not move for a while, what is known may be
// old; it is trusted again when the Lease moves and every watch was opened again.
//
// All times are this process's own: clocks of other machines do not matter.
type Freshness struct {
	// After is how long the Lease may stand still.
	After  time.Duration
	Logger *slog.Logger
	Now    func() time.Time

	mu      sync.Mutex
	tell    func(fresh bool)
	moved   time.Time
	stale   bool
	since   time.Time // when trust ended
	watches map[string]*watchState
}

// watchState is the latest watch of one path.
type watchState struct {
	open   bool
	opened time.Time
	closed time.Time
}

// settle is given to the handlers of watches that were just opened again.
const settle = time.Second

// NewFreshness makes a Freshness that trusts from now on.
func NewFreshness(after time.Duration, log *slog.Logger, now func() time.Time) *Freshness {
	return &Freshness{After: after, Logger: log, Now: now, moved: now(), watches: map[string]*watchState{}}
}

// Run watches the Lease, and decides every second, until ctx ends.
func (f *Freshness) Run(ctx context.Context, leases typedcoordinationv1.LeaseInterface, name string) {
	n := &named[*coordinationv1.Lease]{
		name: name, get: leases.Get, open: leases.Watch,
		found: func(_ *coordinationv1.Lease, exists bool) {
			if exists {
				f.Moved()
			}
		},
		refused: func(err error) { f.Logger.Error("the Lease may not be read", "lease", name, "error", err) },
	}
	go n.run(ctx, &coordinationv1.Lease{})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.Check()
		}
	}
}

// Moved notes that the Lease changed.
func (f *Freshness) Moved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved = f.Now()
}

// Fresh tells whether what is known can be trusted.
func (f *Freshness) Fresh() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.stale
}

// Check decides whether trust ends or is back.
func (f *Freshness) Check() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	was := f.stale
	switch still := now.Sub(f.moved); {
	case !f.stale && (still >= f.After || f.deadWatch(now)):
		f.stale, f.since = true, now
		f.Logger.Warn("no word from the API server: new proxies are sent to other replicas, and nothing is pushed", "for", still.Round(time.Second).String())
	case f.stale && still < f.After && f.allReopened(now):
		f.stale = false
		f.Logger.Info("the API server answers again", "after", now.Sub(f.since).Round(time.Second).String())
	}
	if was != f.stale && f.tell != nil {
		f.tell(!f.stale)
	}
}

// OnChange has f told what is so now, and then when trust ends and when it is back. f must not block.
func (f *Freshness) OnChange(tell func(fresh bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell = tell
	tell(!f.stale)
}

// allReopened tells that every watch that there was is open, and has been for a moment. All share one connection with the
// watch of the Lease: when that one moves, no other is open on a connection that is dead.
func (f *Freshness) allReopened(now time.Time) bool {
	for _, w := range f.watches {
		if !w.open || now.Sub(w.opened) < settle {
			return false
		}
	}
	return true
}

// deadWatch tells that a watch could not be opened again for as long as the Lease may stand still: what it would tell is
// missing, though the API server is there.
func (f *Freshness) deadWatch(now time.Time) bool {
	for _, w := range f.watches {
		if !w.open && now.Sub(w.closed) >= f.After {
			return true
		}
	}
	return false
}

// Forget takes back that a kind was watched: its definition was removed, and there is nothing to miss.
func (f *Freshness) Forget(group, plural string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path := range f.watches {
		if strings.HasPrefix(path, "/apis/"+group+"/") && strings.HasSuffix(path, "/"+plural) {
			delete(f.watches, path)
		}
	}
}

// Transport observes the watches that go through it (rest.Config.Wrap).
func (f *Freshness) Transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		q := r.URL.Query()
		// The watch of a single object may end for good, with the need for it.
		if q.Get("watch") == "" || strings.Contains(q.Get("fieldSelector"), "metadata.name") {
			return next.RoundTrip(r)
		}
		path := r.URL.Path
		response, err := next.RoundTrip(r)
		if err != nil || response.StatusCode != http.StatusOK {
			f.closed(path, nil)
			return response, err
		}
		w := f.opened(path)
		response.Body = &watchBody{ReadCloser: response.Body, ended: func() { f.closed(path, w) }}
		return response, nil
	})
}

func (f *Freshness) opened(path string) *watchState {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &watchState{open: true, opened: f.Now()}
	f.watches[path] = w
	return w
}

// closed notes the end of a watch, or with nil that it could not be opened.
func (f *Freshness) closed(path string, w *watchState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w == nil {
		w = f.watches[path]
	}
	if w != nil && w.open {
		w.open, w.closed = false, f.Now()
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watchBody tells when the stream of a watch ends, from either side.
type watchBody struct {
	io.ReadCloser
	once  sync.Once
	ended func()
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(b.ended)
	}
	return n, err
}

func (b *watchBody) Close() error {
	b.once.Do(b.ended)
	return b.ReadCloser.Close()
}
