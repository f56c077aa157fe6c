package load

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is what became of the requests.
type Report struct {
	// Sent are all requests that were begun; those that are neither OK nor Failed are under way.
	Sent, OK, Failed int
	// Failures are the first ten different errors, each with how often it came and when for the first time.
	Failures []string
	// P50, P99 and Max are times from the moment a request was due to the end of its answer, failed ones included.
	P50, P99, Max time.Duration
	// Connections is how many were opened. More than there are workers means that some were closed in between.
	Connections int
	// Repeated is how many requests the transport sent twice because a kept-alive connection broke before the answer.
	Repeated int
}

// String is one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d sent, %d ok, %d failed, p50 %s, p99 %s, max %s, %d connections",
		r.Sent, r.OK, r.Failed, round(r.P50), round(r.P99), round(r.Max), r.Connections)
	if r.Repeated > 0 {
		s += fmt.Sprintf(", %d repeated", r.Repeated)
	}
	if len(r.Failures) > 0 {
		s += ": " + strings.Join(r.Failures, "; ")
	}
	return strings.ReplaceAll(s, "\n", " ")
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// maxFailures is how many different errors are kept.
const maxFailures = 10

type failure struct {
	text  string
	times int
	first time.Duration
}

type results struct {
	mu       sync.Mutex
	sent, ok int
	failed   int
	conns    int
	repeated int
	took     []time.Duration
	failures []*failure
}

func (r *results) began() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
}

func (r *results) ended(due, took time.Duration, conns *connections, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
	r.conns += int(conns.fresh.Load())
	if conns.got.Load() > 1 {
		r.repeated++
	}
	if err == nil {
		r.ok++
		return
	}
	r.failed++
	text := err.Error()
	for _, f := range r.failures {
		if f.text == text {
			f.times++
			f.first = min(f.first, due)
			return
		}
	}
	if len(r.failures) < maxFailures {
		r.failures = append(r.failures, &failure{text, 1, due})
	}
}

func (r *results) report() Report {
	r.mu.Lock()
	out := Report{Sent: r.sent, OK: r.ok, Failed: r.failed, Connections: r.conns, Repeated: r.repeated}
	for _, f := range r.failures {
		out.Failures = append(out.Failures, fmt.Sprintf("%s (%d times, first after %s)", f.text, f.times, f.first.Round(time.Millisecond)))
	}
	took := slices.Clone(r.took)
	r.mu.Unlock()
	slices.Sort(took)
	out.P50, out.P99, out.Max = quantile(took, 50), quantile(took, 99), quantile(took, 100)
	return out
}

// quantile is the nearest-rank percentile of sorted times; 0 when there are none.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}
