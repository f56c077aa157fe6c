package standalone_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/load"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// The times that a request can belong to, by when it was begun.
const (
	// unguarded: the auth plugin is not there yet, on its way, or gone.
	unguarded = "unguarded"
	// guarded: its status says programmed, and nobody deleted it.
	guarded = "guarded"
)

// traffic is constant load at one address. Most requests have credentials and must be answered 200 at any time; every
// eighth has none, and must be answered 401 if it was begun while the plugin guarded the way.
type traffic struct {
	t    *testing.T
	load *load.Load

	mu    sync.Mutex
	n     int
	era   string
	begun map[string]int
	ended map[string]int
}

const loadRate = 120

func drive(t *testing.T, addr string) *traffic {
	t.Helper()
	tr := &traffic{t: t, era: unguarded, begun: map[string]int{}, ended: map[string]int{}}
	tr.load = load.Start(load.Config{Rate: loadRate, Request: func() (*http.Request, error) {
		r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/load", nil)
		if err != nil {
			return nil, err
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if tr.n++; tr.n%8 != 0 {
			r.Header.Set("Authorization", credentials)
		}
		r.Header.Set("x-era", tr.era)
		tr.begun[tr.era]++
		return r, nil
	}, Check: tr.check})
	t.Cleanup(func() { tr.load.Stop() })
	return tr
}

func (tr *traffic) check(resp *http.Response) error {
	era := resp.Request.Header.Get("x-era")
	tr.mu.Lock()
	tr.ended[era]++
	tr.mu.Unlock()
	known := resp.Request.Header.Get("Authorization") != ""
	switch {
	case resp.StatusCode == http.StatusOK && (known || era == unguarded):
		return nil
	case resp.StatusCode == http.StatusUnauthorized && !known:
		return nil
	}
	return fmt.Errorf("%s, credentials %t: status %d", era, known, resp.StatusCode)
}

// enter begins another time, and waits until every request of the one before is answered.
func (tr *traffic) enter(era string) {
	tr.t.Helper()
	tr.mu.Lock()
	before := tr.era
	tr.era = era
	tr.mu.Unlock()
	testbed.Eventually(tr.t, soon, "requests begun while "+before+" are answered", func() (bool, string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.begun[before] == tr.ended[before], tr.load.Report().String()
	})
}

// flawless ends the load and demands that nothing failed, and that the backend saw no request without the plugin's mark
// among those begun while it guarded the way.
func (tr *traffic) flawless(name string, u *upstream) {
	tr.t.Helper()
	report := tr.load.Stop()
	counts := u.era(guarded).Counts()
	tr.t.Logf("%s: %s", name, report)
	tr.t.Logf("%s: the backend, while guarded: %s", name, counts)
	if report.Failed != 0 || report.Repeated != 0 || report.OK == 0 {
		tr.t.Errorf("%s: requests failed: %s", name, report)
	}
	if counts.Unmarked != 0 || counts.Passed < loadRate {
		tr.t.Errorf("%s: the backend saw %s; want no unmarked ones, and at least %d passed", name, counts, loadRate)
	}
}
