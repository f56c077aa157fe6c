package load

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers in memory, so that the tests run in a bubble with its own time.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answering(status int) transport {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("body")), Request: r}, nil
	}
}

func request() (*http.Request, error) { return http.NewRequest(http.MethodGet, "http://backend/", nil) }

func config(rate int, t transport) Config {
	return Config{Rate: rate, Workers: 4, Request: request, Client: &http.Client{Transport: t}}
}

func TestTheRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Start(config(300, answering(200)))
		time.Sleep(10*time.Second - time.Microsecond)
		r := l.Stop()
		if r.Sent != 3000 || r.OK != 3000 || r.Failed != 0 || r.Max != 0 {
			t.Errorf("%s", r)
		}
	})
}

func TestLateRequestsAreStillSentAndTheirWaitCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		l := Start(config(100, func(r *http.Request) (*http.Response, error) {
			// For the first second nothing is answered.
			time.Sleep(time.Until(begin.Add(time.Second)))
			return answering(200)(r)
		}))
		time.Sleep(1999 * time.Millisecond)
		r := l.Stop()
		if r.Sent != 200 || r.OK != 200 || r.Max != time.Second {
			t.Errorf("%s", r)
		}
		if r.P50 != 10*time.Millisecond && r.P50 != 0 {
			t.Errorf("half of the requests came after the stall: p50 %s", r.P50)
		}
	})
}

func TestStopWaitsForTheRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Start(config(1, func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return answering(200)(r)
		}))
		time.Sleep(100 * time.Millisecond)
		if r := l.Report(); r.Sent != 1 || r.OK+r.Failed != 0 {
			t.Errorf("under way: %s", r)
		}
		r := l.Stop()
		if r.Sent != 1 || r.OK != 1 || r.Max != 5*time.Second {
			t.Errorf("%s", r)
		}
		if again := l.Stop(); again.String() != r.String() {
			t.Errorf("a second Stop says %s", again)
		}
	})
}

func TestTheCheckCanBeReplacedWhileRequestsAreUnderWay(t *testing.T) {
	want := func(status int) func(*http.Response) error {
		return func(r *http.Response) error {
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != "body" {
				return fmt.Errorf("body %q, %w", body, err)
			}
			if r.StatusCode != status {
				return fmt.Errorf("status %d, want %d", r.StatusCode, status)
			}
			return nil
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(200)
		c := config(10, func(r *http.Request) (*http.Response, error) {
			s := int(status.Load())
			time.Sleep(50 * time.Millisecond)
			return answering(s)(r)
		})
		c.Check = want(200)
		l := Start(c)
		// The request of 1.0 s is answered 401, and is still under way when the check changes.
		time.Sleep(950 * time.Millisecond)
		status.Store(401)
		time.Sleep(75 * time.Millisecond)
		l.SetCheck(want(401))
		time.Sleep(time.Second)
		if r := l.Report(); r.Failed != 0 || r.OK < 20 {
			t.Errorf("%s", r)
		}
		status.Store(503)
		time.Sleep(time.Second)
		r := l.Stop()
		if r.Failed < 9 || len(r.Failures) != 1 || !strings.HasPrefix(r.Failures[0], "status 503, want 401 (") {
			t.Errorf("%s", r)
		}
	})
}

func TestTheFirstTenDifferentFailuresAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c := config(100, answering(200))
		c.Workers = 1
		c.Check = func(*http.Response) error { return fmt.Errorf("failure %d", n.Add(1)%20) }
		l := Start(c)
		time.Sleep(399 * time.Millisecond)
		r := l.Stop()
		if r.Failed != 40 || len(r.Failures) != 10 || r.Failures[0] != "failure 1 (2 times, first after 0s)" {
			t.Errorf("%s", r)
		}
		if strings.Contains(r.String(), "\n") {
			t.Errorf("more than one line: %s", r)
		}
	})
}

func TestARequestThatCannotBeMadeIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(10, answering(200))
		c.Request = func() (*http.Request, error) { return nil, errors.New("no address") }
		l := Start(c)
		time.Sleep(50 * time.Millisecond)
		if r := l.Stop(); r.Failed != 1 || !strings.HasPrefix(r.Failures[0], "making the request: no address (") {
			t.Errorf("%s", r)
		}
	})
}

func TestConnectionsAreKeptAliveAndASilentRepetitionShows(t *testing.T) {
	var broken atomic.Bool
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served.Add(1) > 20 && broken.CompareAndSwap(false, true) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}
	}))
	defer s.Close()
	l := Start(Config{Rate: 500, Workers: 2, Request: func() (*http.Request, error) { return http.NewRequest(http.MethodGet, s.URL, nil) }})
	for deadline := time.Now().Add(10 * time.Second); l.Report().OK < 60 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	r := l.Stop()
	if r.OK < 60 || r.Failed != 0 || r.Repeated != 1 || r.Connections > 4 {
		t.Errorf("%s", r)
	}
}

func TestARefusedConnectionIsOneKindOfFailure(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close()
	l := Start(Config{Rate: 500, Workers: 2, Request: func() (*http.Request, error) { return http.NewRequest(http.MethodGet, url, nil) }})
	for deadline := time.Now().Add(10 * time.Second); l.Report().Failed < 20 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if r := l.Stop(); r.OK != 0 || len(r.Failures) != 1 || !strings.HasPrefix(r.Failures[0], "dial: connect: connection refused (") {
		t.Errorf("%s", r)
	}
}
