// Package load sends requests at a constant rate and says what became of them.
package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to send, and how often.
type Config struct {
	// Rate is in requests per second; 0 or less means 100.
	Rate int
	// Workers is how many requests may be under way at once; 0 or less means 16.
	Workers int
	// Request makes each request; it is called from several goroutines. An error counts as a failed request.
	Request func() (*http.Request, error)
	// Check judges each answer; its Body is in memory already. Nil means that every status below 400 is right.
	Check func(*http.Response) error
	// Client sends the requests; nil means one of its own: kept-alive connections, no proxy, no redirects followed, ten
	// seconds for each request.
	Client *http.Client
}

// Load is a running generator. It is open-loop: a request is due at its time whatever became of those before it; one that
// is late because all workers are busy is sent late, not left out.
type Load struct {
	request func() (*http.Request, error)
	check   atomic.Pointer[check]
	client  *http.Client
	own     *http.Transport

	start    time.Time
	due      chan time.Time
	stop     context.Context
	cancel   context.CancelFunc
	finished sync.WaitGroup
	results  results
}

// check is a judgement in force; its address tells one from the next.
type check struct{ accept func(*http.Response) error }

// Start begins to send at once.
func Start(c Config) *Load {
	if c.Rate <= 0 {
		c.Rate = 100
	}
	if c.Workers <= 0 {
		c.Workers = 16
	}
	l := &Load{request: c.Request, client: c.Client, start: time.Now(), due: make(chan time.Time)}
	l.stop, l.cancel = context.WithCancel(context.Background())
	l.SetCheck(c.Check)
	if l.client == nil {
		l.own = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: c.Workers,
			DisableCompression:  true,
		}
		l.client = &http.Client{
			Transport:     l.own,
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	for range c.Workers {
		l.finished.Go(func() {
			for due := range l.due {
				l.one(due)
			}
		})
	}
	l.finished.Go(func() { l.tick(int64(c.Rate)) })
	return l
}

// tick hands out due times, all counted from the start, so that a late one does not move those behind it.
func (l *Load) tick(rate int64) {
	defer close(l.due)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := int64(0); ; i++ {
		// Whole seconds apart, so that no rate drifts and no number overflows.
		due := l.start.Add(time.Duration(i/rate)*time.Second + time.Duration(i%rate)*time.Second/time.Duration(rate))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-l.stop.Done():
			return
		}
		select {
		case l.due <- due:
		case <-l.stop.Done():
			return
		}
	}
}

// SetCheck replaces the check. A request that is under way at that moment is right if either check takes its answer:
// nobody can tell on which side of the change it was answered.
func (l *Load) SetCheck(accept func(*http.Response) error) {
	if accept == nil {
		accept = func(r *http.Response) error {
			if r.StatusCode >= 400 {
				return fmt.Errorf("status %d", r.StatusCode)
			}
			return nil
		}
	}
	l.check.Store(&check{accept})
}

// Report says how it went so far.
func (l *Load) Report() Report { return l.results.report() }

// Stop sends nothing more, waits for the requests under way, and gives the final report. It may be called again.
func (l *Load) Stop() Report {
	l.cancel()
	l.finished.Wait()
	if l.own != nil {
		l.own.CloseIdleConnections()
	}
	return l.Report()
}
