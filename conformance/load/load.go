// Package load sends HTTP requests at a constant rate and counts what goes wrong: the measure of "no failed request".
package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Generator describes a load. Only Rate and Request are needed.
type Generator struct {
	// Rate is in requests per second.
	Rate float64
	// Request makes the next request. It is called from several goroutines at once.
	Request func() *http.Request
	// Check judges an answer; nil asks for status 200. It may read the body, which is drained and closed afterwards.
	Check func(*http.Response) error
	// Workers bounds the requests in flight; 0 means 16. When all are busy, requests go out late, and their latency
	// counts from when they were due.
	Workers int
	// Client sends the requests; nil means one of its own, with connections kept open, a timeout of 10 s, no redirects
	// followed.
	Client *http.Client
}

// Report is what became of the requests.
type Report struct {
	// Sent counts the finished requests; each is either OK or Failed.
	Sent, OK, Failed int
	// Retried counts requests that Go's client sent a second time because a kept-open connection was closed under them.
	// Their outcome stands in OK or Failed; a proxy that drains nothing causes none.
	Retried int
	// Connections counts the connections that were opened.
	Connections int
	// Reasons are the first ten failures, each with the time since the start.
	Reasons []string
	// P50, P99 and Max are latencies from when a request was due until its body was read.
	P50, P99, Max time.Duration
	// Elapsed is from the start to the last finished request.
	Elapsed time.Duration
}

// String is one line, and one more for each reason.
func (r Report) String() string {
	s := fmt.Sprintf("%d sent in %.1f s, %d ok, %d failed, %d retried, %d connections, p50 %.1f ms, p99 %.1f ms, max %.1f ms",
		r.Sent, r.Elapsed.Seconds(), r.OK, r.Failed, r.Retried, r.Connections, millis(r.P50), millis(r.P99), millis(r.Max))
	for _, reason := range r.Reasons {
		s += "\n  " + reason
	}
	return s
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Run is a load under way.
type Run struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	start  time.Time
	client *http.Client
	own    bool

	mu        sync.Mutex
	report    Report
	latencies []time.Duration
}

// Start begins a load with the defaults of Generator. It ends with ctx or with Stop.
func Start(ctx context.Context, rate float64, request func() *http.Request, check func(*http.Response) error) *Run {
	return Generator{Rate: rate, Request: request, Check: check}.Start(ctx)
}

// Start begins the load. It ends with ctx or with Stop.
func (g Generator) Start(ctx context.Context) *Run {
	if g.Workers <= 0 {
		g.Workers = 16
	}
	if g.Check == nil {
		g.Check = Status(http.StatusOK)
	}
	ctx, stop := context.WithCancel(ctx)
	r := &Run{stop: stop, start: time.Now(), client: g.Client}
	if r.client == nil {
		r.own = true
		r.client = &http.Client{
			Timeout:       10 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: g.Workers, MaxConnsPerHost: g.Workers, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	interval := time.Duration(float64(time.Second) / g.Rate)
	var next atomic.Int64
	for range g.Workers {
		r.done.Go(func() {
			for {
				due := r.start.Add(time.Duration(next.Add(1)-1) * interval)
				if !wait(ctx, time.Until(due)) {
					return
				}
				r.send(g, due)
			}
		})
	}
	return r
}

// wait is false when the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// send makes one request and counts it. It does not end with the load's context: a request that was sent is waited for.
func (r *Run) send(g Generator, due time.Time) {
	var attempts, opened atomic.Int32
	request := g.Request()
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			attempts.Add(1)
			if !i.Reused {
				opened.Add(1)
			}
		},
	}))
	err := exchange(r.client, request, g.Check)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Sent++
	r.report.Connections += int(opened.Load())
	if attempts.Load() > 1 {
		r.report.Retried++
	}
	r.report.Elapsed = max(r.report.Elapsed, now.Sub(r.start))
	r.latencies = append(r.latencies, now.Sub(due))
	if err == nil {
		r.report.OK++
		return
	}
	r.report.Failed++
	if len(r.report.Reasons) < 10 {
		r.report.Reasons = append(r.report.Reasons, fmt.Sprintf("at %.3f s: %s %s: %v", now.Sub(r.start).Seconds(), request.Method, request.URL, err))
	}
}

func exchange(client *http.Client, request *http.Request, check func(*http.Response) error) error {
	resp, err := client.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := check(resp); err != nil {
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// Report returns what was counted so far.
func (r *Run) Report() Report {
	r.mu.Lock()
	out := r.report
	out.Reasons = slices.Clone(out.Reasons)
	sorted := slices.Clone(r.latencies)
	r.mu.Unlock()
	if len(sorted) == 0 {
		return out
	}
	slices.Sort(sorted)
	out.P50 = sorted[(len(sorted)-1)*50/100]
	out.P99 = sorted[(len(sorted)-1)*99/100]
	out.Max = sorted[len(sorted)-1]
	return out
}

// Stop sends nothing more, waits for the requests in flight and returns the report. It may be called again.
func (r *Run) Stop() Report {
	r.stop()
	r.done.Wait()
	if r.own {
		r.client.CloseIdleConnections()
	}
	return r.Report()
}

// Status is a check for one status code. Its error quotes the beginning of the body.
func Status(want int) func(*http.Response) error {
	return func(resp *http.Response) error {
		if resp.StatusCode == want {
			return nil
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("status %d, want %d: %q", resp.StatusCode, want, body)
	}
}

// Get makes a function for Generator.Request: GET of a URL with headers, given as name, value, name, value. The name Host
// sets the request's host. It panics if the URL does not parse.
func Get(url string, headers ...string) func() *http.Request {
	if _, err := http.NewRequest(http.MethodGet, url, nil); err != nil {
		panic(err)
	}
	return func() *http.Request {
		req, _ := http.NewRequest(http.MethodGet, url, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			if http.CanonicalHeaderKey(headers[i]) == "Host" {
				req.Host = headers[i+1]
				continue
			}
			req.Header.Add(headers[i], headers[i+1])
		}
		return req
	}
}
