package load_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/load"
)

// until polls a run until it has sent n requests.
func until(t *testing.T, run *load.Run, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for run.Report().Sent < n {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s: %v", run.Report())
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTheRateIsKeptAndConnectionsAreKeptOpen(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	run := load.Start(t.Context(), 200, load.Get(server.URL), nil)
	until(t, run, 100)
	r := run.Stop()
	if r.Failed != 0 || r.OK != r.Sent || r.Retried != 0 {
		t.Errorf("%v", r)
	}
	if r.Connections > 16 {
		t.Errorf("%d connections for 16 workers", r.Connections)
	}
	if rate := float64(r.Sent-1) / r.Elapsed.Seconds(); rate > 201 {
		t.Errorf("%.0f requests/s, want at most 200", rate)
	}
	if r.P50 <= 0 || r.P50 > r.P99 || r.P99 > r.Max {
		t.Errorf("p50 %v, p99 %v, max %v", r.P50, r.P99, r.Max)
	}
	if after := run.Stop(); after.Sent != r.Sent {
		t.Errorf("sent %d after Stop", after.Sent-r.Sent)
	}
}

func TestFailuresAreCountedAndTheFirstTenExplained(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	run := load.Start(t.Context(), 1000, load.Get(server.URL), nil)
	until(t, run, 60)
	r := run.Stop()
	if r.Failed < 20 || r.OK < 20 || r.Failed+r.OK != r.Sent || int64(r.Sent) != n.Load() {
		t.Errorf("the server saw %d: %v", n.Load(), r)
	}
	if len(r.Reasons) != 10 || !strings.HasSuffix(r.Reasons[0], `status 503, want 200: "out of order\n"`) {
		t.Errorf("reasons %q", r.Reasons)
	}
}

func TestTheLoadEndsWithItsContextAndWaitsForWhatIsInFlight(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	run := load.Generator{Rate: 1000, Request: load.Get(server.URL), Workers: 3}.Start(ctx)
	for range 3 {
		<-arrived
	}
	cancel()
	close(release)
	if r := run.Stop(); r.Sent != 3 || r.Failed != 0 {
		t.Errorf("%v", r)
	}
}

func TestAnUnreachableServerIsAFailureWithItsReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	run := load.Start(t.Context(), 500, load.Get(url), nil)
	until(t, run, 5)
	if r := run.Stop(); r.OK != 0 || !strings.Contains(r.Reasons[0], "connection refused") {
		t.Errorf("%v", r)
	}
}

func TestARequestThatHadToBeSentTwiceIsCounted(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 2 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close() // the kept-open connection breaks under the second request
			}
		}
	}))
	defer server.Close()
	run := load.Generator{Rate: 200, Request: load.Get(server.URL), Workers: 1}.Start(t.Context())
	until(t, run, 5)
	if r := run.Stop(); r.Retried != 1 || r.Failed != 0 {
		t.Errorf("%v", r)
	}
}

func TestHeadersAndHostAreSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.Header.Get("X-Test"))
	}))
	defer server.Close()
	resp, err := http.DefaultClient.Do(load.Get(server.URL, "host", "reviews:9080", "x-test", "yes")())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 64)
	count, _ := resp.Body.Read(body)
	if got := string(body[:count]); got != "reviews:9080 yes" {
		t.Errorf("the server saw %q", got)
	}
}
