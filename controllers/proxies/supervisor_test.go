package proxies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestAKilledEnvoyIsStartedAgain(t *testing.T) {
	s, r := start(t, Options{EnvoyPath: envoyPath(t)})
	if err := s.Ensure("gw", []byte(emptyBootstrap)); err != nil {
		t.Fatal(err)
	}
	first := r.next(t, Started)
	adminAddress(t, s, "gw")
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := r.next(t, Exited); e.Signal != "killed" || e.PID != first.PID {
		t.Errorf("got %q", e)
	}
	if e := r.next(t, Restarting); e.Delay != minDelay {
		t.Errorf("got %q", e)
	}
	second := r.next(t, Started)
	if second.PID == first.PID || s.PID("gw") != second.PID {
		t.Errorf("pid %d after %d, supervisor says %d", second.PID, first.PID, s.PID("gw"))
	}
	adminAddress(t, s, "gw")
}

func TestEnvoySurvivesTheEndOfEveryOtherThread(t *testing.T) {
	s, r := start(t, Options{EnvoyPath: envoyPath(t)})
	if err := s.Ensure("gw", []byte(emptyBootstrap)); err != nil {
		t.Fatal(err)
	}
	r.next(t, Started)
	adminAddress(t, s, "gw")
	var all sync.WaitGroup
	for range 100 {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		}()
	}
	all.Wait()
	for range 20 {
		adminAddress(t, s, "gw")
	}
	r.none(t)
}

func TestOnlyABootstrapOfOtherBytesRestartsEnvoy(t *testing.T) {
	s, r := start(t, Options{EnvoyPath: envoyPath(t)})
	ensure := func(b string) {
		if err := s.Ensure("gw", []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	ensure(emptyBootstrap)
	first := r.next(t, Started)
	adminAddress(t, s, "gw")
	ensure(emptyBootstrap)
	ensure("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}} # now in YAML")
	if e := r.next(t, Stopped); e.PID != first.PID || e.Code != 0 || e.Signal != "" {
		t.Errorf("got %q", e)
	}
	if e := r.next(t, Started); e.PID == first.PID {
		t.Errorf("got %q", e)
	}
	adminAddress(t, s, "gw")
	r.none(t)
}

func TestARemovedEnvoyStopsAndMayComeBack(t *testing.T) {
	s, r := start(t, Options{EnvoyPath: envoyPath(t)})
	ensure := func() {
		if err := s.Ensure("gw", []byte(emptyBootstrap)); err != nil {
			t.Fatal(err)
		}
	}
	ensure()
	first := r.next(t, Started)
	adminAddress(t, s, "gw")
	s.Remove("gw")
	ensure() // the new one waits for the end of the old one, which still has the ports
	if e := r.next(t, Stopped); e.PID != first.PID {
		t.Errorf("got %q", e)
	}
	second := r.next(t, Started)
	adminAddress(t, s, "gw")
	s.Remove("gw")
	if e := r.next(t, Stopped); e.PID != second.PID || e.Code != 0 {
		t.Errorf("got %q", e)
	}
	s.Remove("gw")
	s.Close(context.Background())
	r.none(t)
	if err := s.Ensure("gw", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Ensure after Close: %v", err)
	}
}

func TestAnOpenRequestIsAnsweredBeforeEnvoyStops(t *testing.T) {
	var once sync.Once
	arrived, release := make(chan struct{}), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	defer backend.Close()
	port := freePort(t)
	s, r := start(t, Options{EnvoyPath: envoyPath(t), DrainTimeout: patience})
	if err := s.Ensure("gw", []byte(proxyBootstrap(port, strings.TrimPrefix(backend.URL, "http://")))); err != nil {
		t.Fatal(err)
	}
	r.next(t, Started)
	adminAddress(t, s, "gw")
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	type answer struct {
		resp *http.Response
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		resp, err := http.Get(url)
		answers <- answer{resp, err}
	}()
	select {
	case <-arrived:
	case a := <-answers:
		t.Fatalf("answered too early: %v %v", a.resp, a.err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.Close(context.Background())
	}()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	eventually(t, "no new connection is taken", func() bool {
		// Before that, the backend, which the first request holds, lets this one run into its timeout.
		resp, err := fresh.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	close(release)
	a := <-answers
	if a.err != nil {
		t.Fatal(a.err)
	}
	defer func() { _ = a.resp.Body.Close() }()
	if body, err := io.ReadAll(a.resp.Body); err != nil || string(body) != "done" || !a.resp.Close {
		t.Errorf("got %q, connection: close=%v, %v", body, a.resp.Close, err)
	}
	<-closed
	if e := r.next(t, Stopped); e.Code != 0 {
		t.Errorf("got %q", e)
	}
}

func TestABrokenBootstrapIsExplainedAndTriedAgainUntilItIsMended(t *testing.T) {
	s, r := start(t, Options{EnvoyPath: envoyPath(t), After: func(time.Duration) <-chan time.Time { return nil }})
	if err := s.Ensure("gw", []byte(`{"no_such_field": 1}`)); err != nil {
		t.Fatal(err)
	}
	r.next(t, Started)
	if e := r.next(t, Exited); e.Code != 1 || !strings.Contains(e.Log, "no_such_field") {
		t.Errorf("got %q", e)
	}
	r.next(t, Restarting)
	// The clock stands still: only the new bootstrap can start it.
	if err := s.Ensure("gw", []byte(emptyBootstrap)); err != nil {
		t.Fatal(err)
	}
	r.next(t, Started)
	adminAddress(t, s, "gw")
	log, err := os.ReadFile(filepath.Join(s.o.Dir, "gw", "envoy.log"))
	if err != nil || !strings.Contains(string(log), "no_such_field") {
		t.Errorf("the log lacks the error: %v", err)
	}
	// Close must not wait for SIGKILL's clock.
	s.Close(context.Background())
}

func TestACrashLoopBacksOff(t *testing.T) {
	crash := script(t, filepath.Join(t.TempDir(), "envoy"), "exit 7")
	now := time.Unix(0, 0)
	fire := make(chan time.Time)
	s, r := start(t, Options{EnvoyPath: crash, Now: func() time.Time { return now },
		After: func(time.Duration) <-chan time.Time { return fire }})
	if err := s.Ensure("gw", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 8 {
		r.next(t, Started)
		if e := r.next(t, Exited); e.Code != 7 {
			t.Errorf("got %q", e)
		}
		got = append(got, r.next(t, Restarting).Delay.String())
		fire <- now
	}
	if s := strings.Join(got, " "); s != "200ms 400ms 800ms 1.6s 3.2s 6.4s 10s 10s" {
		t.Errorf("got %s", s)
	}
}

func TestAProgramThatCannotBeStartedIsReportedAndTriedAgain(t *testing.T) {
	fire := make(chan time.Time)
	s, r := start(t, Options{EnvoyPath: filepath.Join(t.TempDir(), "nothing"),
		After: func(time.Duration) <-chan time.Time { return fire }})
	if err := s.Ensure("gw", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if e := r.next(t, Failed); !errors.Is(e.Err, os.ErrNotExist) {
			t.Errorf("got %q", e)
		}
		r.next(t, Restarting)
		fire <- time.Time{}
	}
}

func TestAProcessThatIgnoresTheStopIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"after the bound", "at once when the context ends"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(helperVariable, "ignore-term")
			log, ctx := &buffer{}, t.Context()
			o := Options{EnvoyPath: self, Log: log.open, KillAfter: 10 * time.Millisecond}
			if name != "after the bound" {
				done, cancel := context.WithCancel(ctx)
				cancel()
				ctx, o.KillAfter = done, time.Hour
			}
			s, r := start(t, o)
			if err := s.Ensure("gw", []byte("{}")); err != nil {
				t.Fatal(err)
			}
			r.next(t, Started)
			eventually(t, "the helper is ready", func() bool { return strings.Contains(log.String(), "ready") })
			s.Close(ctx)
			if e := r.next(t, Stopped); e.Signal != "killed" {
				t.Errorf("got %q", e)
			}
		})
	}
}

// proxyBootstrap is an Envoy that passes everything on to one backend.
func proxyBootstrap(port int, backend string) string {
	host, backendPort, _ := strings.Cut(backend, ":")
	return fmt.Sprintf(`
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: backend}}]}
  clusters:
  - name: backend
    type: STATIC
    load_assignment:
      cluster_name: backend
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]
`, port, host, backendPort)
}
