package bookinfo

import (
	"fmt"
	"net/http"
	"sync"
)

// MarkHeader is the request header in which plugins/basic-auth tells the backend what it did with the request.
const MarkHeader = "X-Wasmpoint-Basic-Auth"

// The values of MarkHeader.
const (
	MarkPassed      = "passed"
	MarkNotRequired = "not-required"
)

// Counts is how many requests a backend got, by the plugin's mark.
type Counts struct {
	Total, Passed, NotRequired int
	// Unmarked requests carry no mark, an unknown one, or more than one: the plugin did not see them.
	Unmarked int
}

// Sub is what was counted since an earlier reading.
func (c Counts) Sub(earlier Counts) Counts {
	return Counts{
		Total:       c.Total - earlier.Total,
		Passed:      c.Passed - earlier.Passed,
		NotRequired: c.NotRequired - earlier.NotRequired,
		Unmarked:    c.Unmarked - earlier.Unmarked,
	}
}

// String is one line for a report.
func (c Counts) String() string {
	return fmt.Sprintf("%d requests: %d passed, %d not required, %d unmarked", c.Total, c.Passed, c.NotRequired, c.Unmarked)
}

// Counter counts requests by mark. The zero value is ready; it may be used from several goroutines.
type Counter struct {
	mu     sync.Mutex
	counts Counts
}

// Add counts one request with the values of its MarkHeader.
func (c *Counter) Add(marks []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Total++
	switch {
	case len(marks) == 1 && marks[0] == MarkPassed:
		c.counts.Passed++
	case len(marks) == 1 && marks[0] == MarkNotRequired:
		c.counts.NotRequired++
	default:
		c.counts.Unmarked++
	}
}

// Counts is the reading at this moment.
func (c *Counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Wrap counts a request before the handler answers it, so that whoever has the answer finds it counted.
func (c *Counter) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.Add(r.Header.Values(MarkHeader))
		h.ServeHTTP(w, r)
	})
}
