package kube

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newTestFreshness() (*Freshness, *clock, *[]bool) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	f := NewFreshness(30*time.Second, slog.New(slog.NewTextHandler(io.Discard, nil)), c.Now)
	told := &[]bool{}
	f.OnChange(func(fresh bool) { *told = append(*told, fresh) })
	*told = nil // that it is fresh at first
	return f, c, told
}

// watched opens a watch of a path through the transport; the returned function ends it.
func watched(t *testing.T, f *Freshness, query string) (end func()) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	response, err := (&http.Client{Transport: f.Transport(http.DefaultTransport)}).Get(s.URL + query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close(); s.Close() })
	return func() { _ = response.Body.Close() }
}

func TestTrustEndsWhenTheLeaseStoodStillForTooLong(t *testing.T) {
	f, c, told := newTestFreshness()
	c.now = c.now.Add(29 * time.Second)
	f.Check()
	if !f.Fresh() {
		t.Fatal("trust ended after 29 of 30 s")
	}
	c.now = c.now.Add(time.Second)
	f.Check()
	f.Check()
	if f.Fresh() || len(*told) != 1 || (*told)[0] {
		t.Fatalf("fresh %v, told %v; want trust to end, said once", f.Fresh(), *told)
	}
}

func TestTrustIsBackWhenTheLeaseMovesAndEveryWatchIsOpen(t *testing.T) {
	f, c, told := newTestFreshness()
	end := watched(t, f, "/apis/x/things?watch=true")
	end()
	c.now = c.now.Add(time.Minute)
	f.Check()
	f.Moved()
	f.Check()
	if f.Fresh() {
		t.Fatal("trusted while a watch is not open again")
	}
	watched(t, f, "/apis/x/things?watch=true")
	f.Check()
	if f.Fresh() {
		t.Fatal("trusted before the handlers had a moment for what the watch brought")
	}
	c.now = c.now.Add(2 * time.Second)
	f.Check()
	if !f.Fresh() || len(*told) != 2 || !(*told)[1] {
		t.Fatalf("fresh %v, told %v; want trust to be back", f.Fresh(), *told)
	}
}

func TestTheWatchOfASingleObjectMayEndForGood(t *testing.T) {
	f, c, _ := newTestFreshness()
	watched(t, f, "/api/v1/namespaces/a/secrets?watch=true&fieldSelector=metadata.name%3Dx")()
	c.now = c.now.Add(time.Minute)
	f.Check()
	f.Moved()
	f.Check()
	if !f.Fresh() {
		t.Fatal("a Secret that nobody needs any more keeps the replica from being trusted")
	}
}
