package suite

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	requests "github.com/wasmpoint/wasmpoint/conformance/load"
)

// Stream is requests again and again, each over a connection of its own, because a mesh moves connections and not requests.
type Stream struct {
	w       *World
	address string
	running *requests.Load
}

// Under sends requests to an address until MustNotFail. All have to be answered 200 by the backend, with one of these marks of
// plugins, in which "" is none.
func (w *World) Under(address string, marks ...string) *Stream {
	w.t.Helper()
	// A connection may have to wait for its listener, and others come meanwhile.
	transport := &http.Transport{DisableKeepAlives: true}
	l := &Stream{w: w, address: address, running: requests.Start(requests.Config{
		Rate: 20, Workers: 300,
		Request: func() (*http.Request, error) { return http.NewRequest(http.MethodGet, "http://"+address+"/", nil) },
		Check:   func(r *http.Response) error { return marked(r, marks) },
		Client:  &http.Client{Transport: transport, Timeout: 20 * time.Second},
	})}
	w.t.Cleanup(func() { l.running.Stop() })
	return l
}

func marked(r *http.Response, marks []string) error {
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", r.StatusCode)
	}
	var seen echo.Answer
	if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
		return err
	}
	if mark := seen.Headers.Get("x-plugins"); !slices.Contains(marks, mark) {
		return fmt.Errorf("plugins %q ran, want one of %q", mark, marks)
	}
	return nil
}

// MustNotFail ends the load; no request may have failed.
func (l *Stream) MustNotFail() {
	l.w.t.Helper()
	report := l.running.Stop()
	if report.Failed > 0 || report.OK == 0 {
		l.w.t.Errorf("requests to %s: %s", l.address, report)
	}
}
