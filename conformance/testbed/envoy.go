// Package testbed starts the real parts that tests need: Envoys, module servers, xDS servers.
package testbed

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// EnvoyPath finds the official Envoy binary: $ENVOY, or the one that `make tools` installed. A missing binary fails the
// test with the command that installs it.
func EnvoyPath(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("ENVOY"); p != "" {
		return p
	}
	_, file, _, _ := runtime.Caller(0)
	p := filepath.Join(filepath.Dir(file), "..", "..", ".tools", "envoy", "envoy", "_bin", "envoy")
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("Envoy is not installed (%v): run `make tools`, or set ENVOY to an Envoy 1.39 or later", err)
	}
	return p
}

// Envoy is a running proxy process.
type Envoy struct {
	t       testing.TB
	cmd     *exec.Cmd
	log     *Text
	exited  chan struct{}
	exitErr error
}

// StartEnvoy runs Envoy with the given bootstrap, and stops it when the test ends; args go before the usual ones. A failed test prints the end of its log.
func StartEnvoy(t testing.TB, bootstrap []byte, args ...string) *Envoy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(path, bootstrap, 0o600); err != nil {
		t.Fatal(err)
	}
	e := &Envoy{t: t, log: &Text{}, exited: make(chan struct{})}
	all := append([]string{"-c", path}, args...)
	for _, usual := range [][]string{ // Envoy wants each flag once
		{"--disable-hot-restart"}, {"--concurrency", "2"}, {"--log-level", "warning"}, {"--component-log-level", "wasm:info"}, {"--drain-time-s", "1"},
	} {
		if !slices.Contains(args, usual[0]) {
			all = append(all, usual...)
		}
	}
	e.cmd = exec.Command(EnvoyPath(t), all...)
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	if err := Spawn(e.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		e.exitErr = e.cmd.Wait()
		close(e.exited)
	}()
	t.Cleanup(func() {
		e.Stop()
		if t.Failed() {
			lines := strings.Split(e.Log(), "\n")
			if len(lines) > 60 {
				lines = lines[len(lines)-60:]
			}
			t.Logf("end of Envoy's log:\n%s", strings.Join(lines, "\n"))
		}
	})
	return e
}

// Log is what Envoy printed so far.
func (e *Envoy) Log() string { return e.log.String() }

// PID of the process.
func (e *Envoy) PID() int { return e.cmd.Process.Pid }

// Stop ends the process and waits for it.
func (e *Envoy) Stop() {
	select {
	case <-e.exited:
		return
	default:
	}
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
	case <-time.After(5 * time.Second):
		_ = e.cmd.Process.Kill()
		<-e.exited
	}
}

// Kill ends the process at once, as a crash does.
func (e *Envoy) Kill() {
	_ = e.cmd.Process.Kill()
	<-e.exited
}

// Running tells whether the process is alive.
func (e *Envoy) Running() bool {
	select {
	case <-e.exited:
		return false
	default:
		return true
	}
}

// FreePort is a TCP port of 127.0.0.1 that nobody listens on now.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Eventually polls until the condition holds, and fails the test with its last word after the limit.
func Eventually(t testing.TB, limit time.Duration, what string, condition func() (bool, string)) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		ok, why := condition()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s: %s", what, limit, why)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Get asks a URL once, with the given headers (name, value, …), and closes the body.
func Get(client *http.Client, url string, headers ...string) (status int, header http.Header, err error) {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, resp.Header, nil
}

// Address is 127.0.0.1 with a port.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
