package modules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/wasmpoint/wasmpoint/modules/fetch"
	"github.com/wasmpoint/wasmpoint/modules/store"
)

// Manager keeps the modules of all owners. Its methods are safe for concurrent use and, except for New and Close, never
// wait for network or disk.
type Manager struct {
	o       Options
	log     *slog.Logger
	clock   Clock
	fetcher *fetch.Fetcher
	store   *store.Store
	secret  []byte
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	dirtyIndex chan struct{}
	notices    chan struct{}

	// mu guards what follows. It is never held during I/O.
	mu       sync.Mutex
	closed   bool
	index    index
	owners   map[string]*owner
	jobs     map[string]*job
	flights  map[string]chan struct{}
	rejected map[string]*fetch.Error
	hosts    map[string]chan struct{}
	changed  map[string]bool
	watchers []func(string)
	served   []ServedFunc
	pinned   map[string]bool
	unused   map[string]time.Time
	stopGC   func()
}

// New opens the store and starts the background work. Errors are the disk's.
func New(o Options) (*Manager, error) {
	def := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	def(&o.AttemptTimeout, 10*time.Minute)
	def(&o.StallTimeout, 30*time.Second)
	def(&o.GCGrace, 24*time.Hour)
	def(&o.GCInterval, 10*time.Minute)
	if o.PerHost <= 0 {
		o.PerHost = 8
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	st, err := store.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	secret, err := loadSecret(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	m := &Manager{o: o, log: o.Logger, clock: o.Clock, store: st, secret: secret,
		fetcher: fetch.New(fetch.Options{Mirrors: o.Mirrors, PlainHTTP: o.PlainHTTP, Transport: o.Transport,
			MaxModule: o.MaxModuleBytes, MaxDownload: o.MaxDownloadBytes, Stall: o.StallTimeout, Files: o.Files}),
		dirtyIndex: make(chan struct{}, 1), notices: make(chan struct{}, 1),
		owners: map[string]*owner{}, jobs: map[string]*job{}, flights: map[string]chan struct{}{},
		rejected: map[string]*fetch.Error{}, hosts: map[string]chan struct{}{}, changed: map[string]bool{},
		unused: map[string]time.Time{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.loadIndex()
	m.wg.Add(3)
	go m.keepIndex()
	go m.notify()
	go m.proveAll(st.Digests())
	m.mu.Lock()
	m.stopGC = m.clock.AfterFunc(o.GCInterval, m.collectAgain)
	m.mu.Unlock()
	return m, nil
}

// Close ends all background work and writes the index. The store stays as it is.
func (m *Manager) Close() {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.closed = true
	m.stopGC()
	for _, j := range m.jobs {
		j.stop()
	}
	m.mu.Unlock()
	m.cancel()
	m.wg.Wait()
}

// Subscribe registers a function that is called, in a goroutine of the Manager, with the name of each owner whose State
// changed. Several changes of one owner may come as one call; ask State for what is true now.
func (m *Manager) Subscribe(f func(owner string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(m.watchers, f)
}

// note marks an owner as changed. The caller holds the lock.
func (m *Manager) note(owner string) {
	m.changed[owner] = true
	select {
	case m.notices <- struct{}{}:
	default:
	}
}

// notify calls the subscribers.
func (m *Manager) notify() {
	defer m.wg.Done()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.notices:
		}
		m.mu.Lock()
		names, watchers := m.changed, m.watchers
		m.changed = map[string]bool{}
		m.mu.Unlock()
		for name := range names {
			for _, f := range watchers {
				f(name)
			}
		}
	}
}

// proveAll compares the stored files with their digests, so that a damaged one is noticed and fetched again before a proxy
// asks for it. Files that are asked for earlier are compared then.
func (m *Manager) proveAll(digests []string) {
	defer m.wg.Done()
	for _, d := range digests {
		if m.ctx.Err() != nil {
			return
		}
		if f, _, err := m.Open(d); err == nil {
			f.Close()
		}
	}
}

// Open opens a module's file for reading, after its bytes were compared with its digest. Errors: store.ErrUnknown,
// store.ErrCorrupt (the module is then fetched again for those who want it), or the disk's.
func (m *Manager) Open(digest string) (*os.File, int64, error) {
	f, size, err := m.store.Open(digest)
	if errors.Is(err, store.ErrCorrupt) {
		m.log.Error("a stored module is damaged and will be fetched again", "digest", digest)
		m.lost(digest)
	}
	return f, size, err
}

// Has says whether a module is here.
func (m *Manager) Has(digest string) bool {
	_, ok := m.store.Size(digest)
	return ok
}
