package proxies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure a Supervisor. EnvoyPath and Dir are required; every other zero value stands for its default.
type Options struct {
	// EnvoyPath is the binary, as Find returns it.
	EnvoyPath string
	// Dir holds a folder per proxy with its bootstrap and its log.
	Dir string
	// Concurrency is the number of worker threads of each Envoy; 0 means 2.
	Concurrency int
	// LogLevel is Envoy's, in the form that ParseLogLevel reads; "" means warning.
	LogLevel string
	// Log gives the writer for the output of one proxy. It is asked once per proxy and closed when the proxy is removed.
	// Nil means DIR/ID/envoy.log, rotated at LogBytes with two old files kept.
	Log func(id string) (io.WriteCloser, error)
	// LogBytes is the size limit of one log file; 0 means 16 MiB.
	LogBytes int64
	// OnEvent is told every change of state: in order for one proxy, at the same time for several. It must not call
	// the Supervisor's Close.
	OnEvent func(Event)
	// DrainTimeout bounds the wait for open connections before SIGTERM; 0 means 2 s.
	DrainTimeout time.Duration
	// KillAfter bounds the wait between SIGTERM and SIGKILL; 0 means 5 s.
	KillAfter time.Duration
	// Now and After are the clock; nil means the real one.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

func (o Options) withDefaults() Options {
	if o.Concurrency == 0 {
		o.Concurrency = 2
	}
	if o.LogLevel == "" {
		o.LogLevel = "warning"
	}
	if o.LogBytes == 0 {
		o.LogBytes = 16 << 20
	}
	if o.Log == nil {
		o.Log = func(id string) (io.WriteCloser, error) {
			return openRotating(filepath.Join(o.Dir, id, "envoy.log"), o.LogBytes, 2)
		}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 2 * time.Second
	}
	if o.KillAfter == 0 {
		o.KillAfter = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return o
}

// Supervisor keeps one Envoy process per id running. Its methods may be called from any goroutine.
type Supervisor struct {
	o     Options
	spawn *spawner

	mu      sync.Mutex
	closed  bool
	proxies map[string]*proxy
	running sync.WaitGroup
}

// NewSupervisor starts nothing yet. It fails when Dir cannot be made.
func NewSupervisor(o Options) (*Supervisor, error) {
	// Absolute, because Envoy gets these paths as arguments.
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("proxies: %w", err)
	}
	o.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("proxies: %w", err)
	}
	return &Supervisor{o: o.withDefaults(), spawn: newSpawner(), proxies: map[string]*proxy{}}, nil
}

// ErrClosed is what Ensure returns after Close.
var ErrClosed = errors.New("proxies: the supervisor is closed")

// Ensure makes an Envoy with this bootstrap (JSON or YAML) run under id, which becomes a folder's name: letters, digits,
// dots, dashes and underscores, with a letter or a digit first. A running one is stopped gracefully and started again when
// the bytes differ, and left alone when they do not. It does not wait: what happens is told through OnEvent.
func (s *Supervisor) Ensure(id string, bootstrap []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	old := s.proxies[id]
	if old != nil && old.setBootstrap(bytes.Clone(bootstrap)) {
		return nil
	}
	p := &proxy{s: s, id: id, bootstrap: bytes.Clone(bootstrap), wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.proxies[id] = p
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(p.done)
		if old != nil {
			<-old.done // the one being removed still has the ports
		}
		p.run()
	}()
	return nil
}

// Remove stops the Envoy of this id gracefully, in the background. An unknown id is fine.
func (s *Supervisor) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.proxies[id]; p != nil {
		p.remove()
	}
}

// PID is the process that runs under id now, or 0.
func (s *Supervisor) PID(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.proxies[id]; p != nil {
		return p.currentPID()
	}
	return 0
}

// Close stops every Envoy gracefully, all at the same time, and returns when the last one has ended; at the latest after
// DrainTimeout and KillAfter, or as soon as ctx ends, which turns the rest of the stop into SIGKILL.
func (s *Supervisor) Close(ctx context.Context) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	for _, p := range s.proxies {
		p.removeBy(ctx)
	}
	s.mu.Unlock()
	s.running.Wait()
	s.spawn.close()
}

// ParseLogLevel splits "warning,wasm:info,upstream:debug" into Envoy's log level and its component levels. What plugins
// log is the component wasm.
func ParseLogLevel(s string) (level, components string, err error) {
	level, components, _ = strings.Cut(s, ",")
	levels := []string{"trace", "debug", "info", "warning", "warn", "error", "critical", "off"}
	if !slices.Contains(levels, level) {
		return "", "", fmt.Errorf("envoy log level %q: %q is none of %s", s, level, strings.Join(levels, ", "))
	}
	if components == "" {
		return level, "", nil
	}
	for _, c := range strings.Split(components, ",") {
		name, l, _ := strings.Cut(c, ":")
		if name == "" || !slices.Contains(levels, l) {
			return "", "", fmt.Errorf("envoy log level %q: %q is not COMPONENT:LEVEL, such as wasm:info", s, c)
		}
	}
	return level, components, nil
}

// checkID keeps ids usable as a folder's name.
func checkID(id string) error {
	for i, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return fmt.Errorf("proxies: id %q: character %q at %d cannot stand in a folder's name", id, c, i)
		}
	}
	if id == "" {
		return errors.New("proxies: the id is empty")
	}
	return nil
}
