package proxies

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes the test binary play another program: what an Envoy would be, or a supervising parent.
const helperVariable = "WASMPOINT_PROXIES_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "":
		os.Exit(m.Run())
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "parent":
		_ = os.Unsetenv(helperVariable)
		superviseOne()
	}
}

// superviseOne is a parent that waits to be killed: it runs ENVOY under a supervisor and prints its pid.
func superviseOne() {
	s, err := NewSupervisor(Options{EnvoyPath: os.Args[1], Dir: os.Args[2], OnEvent: func(e Event) {
		if e.State == Started {
			fmt.Println(e.PID)
		}
	}})
	if err != nil {
		panic(err)
	}
	if err := s.Ensure("orphan", []byte(emptyBootstrap)); err != nil {
		panic(err)
	}
	select {}
}

// emptyBootstrap has an admin endpoint and nothing else.
const emptyBootstrap = `{"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":0}}}}`

const patience = 20 * time.Second

// envoyPath is the Envoy of these tests: the variable ENVOY, or what Find finds.
func envoyPath(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path, _, err := Find(ctx, os.Getenv("ENVOY"))
	if err != nil {
		t.Fatalf("these tests need a real Envoy (set ENVOY to another one): %v", err)
	}
	return path
}

// recorder collects events.
type recorder struct {
	events chan Event
}

func newRecorder() *recorder { return &recorder{events: make(chan Event, 1000)} }

func (r *recorder) next(t *testing.T, want State) Event {
	t.Helper()
	select {
	case e := <-r.events:
		if e.State != want {
			t.Fatalf("got %q, want %s", e, want)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no event within %s, want %s", patience, want)
	}
	return Event{}
}

// none fails when anything happened so far.
func (r *recorder) none(t *testing.T) {
	t.Helper()
	select {
	case e := <-r.events:
		t.Fatalf("unexpected: %s", e)
	default:
	}
}

// start is a supervisor that records, and that is closed with the test.
func start(t *testing.T, o Options) (*Supervisor, *recorder) {
	t.Helper()
	r := newRecorder()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.OnEvent = func(e Event) { r.events <- e }
	s, err := NewSupervisor(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s, r
}

// adminAddress waits until the Envoy of an id serves its admin endpoint.
func adminAddress(t *testing.T, s *Supervisor, id string) string {
	t.Helper()
	var address string
	eventually(t, "the admin endpoint of "+id, func() bool {
		raw, err := os.ReadFile(filepath.Join(s.o.Dir, id, "admin-address"))
		address = string(raw)
		if err != nil || address == "" {
			return false
		}
		resp, err := http.Get("http://" + address + "/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return address
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// freePort is a port of 127.0.0.1 that nobody uses now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Close() error { return nil }

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) open(string) (io.WriteCloser, error) { return b, nil }

// script writes an executable shell script.
func script(t *testing.T, path, body string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
