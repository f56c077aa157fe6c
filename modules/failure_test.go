package modules_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

func TestTheBackOffDoublesFromHalfASecondToFiveMinutesAndNeverEnds(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("late")
	clock := newClock()
	m := start(t, modules.Options{Clock: clock})
	src := modules.Source{URL: s.Host + "/a:1"}
	m.Want("o", src)
	want := 500 * time.Millisecond
	for n := 1; n <= 14; n++ {
		got := m.await("o", failedTimes(n))
		if delay := got.NextTry.Sub(clock.Now()); delay != want || got.Reason != ext.ReasonFetchFailed || !strings.Contains(got.Err, "404") {
			t.Fatalf("after %d failures: next try in %s, want %s; %+v", n, delay, want, got)
		}
		requests := s.Count("GET", "/manifests/")
		clock.advance(want - time.Millisecond)
		if again := s.Count("GET", "/manifests/"); again != requests {
			t.Fatal("tried too early")
		}
		if n == 14 {
			break
		}
		clock.advance(time.Millisecond)
		want = min(2*want, 5*time.Minute)
	}
	if want != 5*time.Minute {
		t.Errorf("the last delay was %s", want)
	}
	since := m.State("o").Since
	s.Push("a", "1", rt.PluginImage(mod))
	clock.advance(time.Millisecond)
	got := m.await("o", ready)
	if got.Attempts != 0 || got.Err != "" || !got.NextTry.IsZero() || !got.Since.After(since) {
		t.Errorf("after healing: %+v", got)
	}
}

func TestJitterSpreadsTheFirstRetryOverItsLowerHalf(t *testing.T) {
	s, clock := rt.Start(t), newClock()
	m := start(t, modules.Options{Clock: clock, Jitter: func() float64 { return 0 }})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	if d := m.await("o", failedTimes(1)).NextTry.Sub(clock.Now()); d != 250*time.Millisecond {
		t.Errorf("next try in %s", d)
	}
}

func TestAChangedSourceIsTriedAtOnce(t *testing.T) {
	s, clock := rt.Start(t), newClock()
	s.Push("a", "good", rt.PluginImage(wasmtest.Plugin("x")))
	m := start(t, modules.Options{Clock: clock})
	m.Want("o", modules.Source{URL: s.Host + "/a:bad", Generation: 1})
	m.await("o", failedTimes(1))
	n := s.Count("GET", "/manifests/")
	m.Want("o", modules.Source{URL: s.Host + "/a:bad", Generation: 1})
	m.Want("o", modules.Source{URL: s.Host + "/a:bad", Generation: 2}) // the object was touched
	until(t, "a new generation is tried", func() bool { return s.Count("GET", "/manifests/") == n+1 })
	m.await("o", failedTimes(1))
	m.Want("o", modules.Source{URL: s.Host + "/a:good", Generation: 3})
	m.await("o", ready)
}

func TestRetryAfterIsHonouredEvenWhenThePluginIsTouched(t *testing.T) {
	s, clock := rt.Start(t), newClock()
	s.Push("a", "1", rt.PluginImage(wasmtest.Plugin("x")))
	var limited atomic.Bool
	limited.Store(true)
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if !limited.Load() || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	m := start(t, modules.Options{Clock: clock})
	m.Want("o", modules.Source{URL: s.Host + "/a:1", Generation: 1})
	got := m.await("o", failedTimes(1))
	if d := got.NextTry.Sub(clock.Now()); d != 2*time.Minute || !strings.Contains(got.Err, "429 Too Many Requests") {
		t.Errorf("next try in %s: %s", d, got.Err)
	}
	limited.Store(false)
	got = m.Want("o", modules.Source{URL: s.Host + "/a:1", Generation: 2})
	if d := got.NextTry.Sub(clock.Now()); d != 2*time.Minute {
		t.Errorf("after a change: next try in %s", d)
	}
	clock.advance(2 * time.Minute)
	m.await("o", ready)
}

func TestADyingRegistryNeitherYieldsNorDamagesAModule(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.PluginSized("die", 200_000)
	s.Push("a", "1", rt.Image{Layers: []rt.Layer{{MediaType: "application/wasm", Data: mod}}})
	var mode atomic.Int32
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		switch mode.Load() {
		case 0: // the connection breaks
			w.Header().Set("Content-Length", strconv.Itoa(len(mod)))
			w.Write(mod[:100_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 1: // a proxy cuts the blob cleanly
			w.Write(mod[:100_000])
			return true
		case 2: // one bit is wrong
			bad := bytes.Clone(mod)
			bad[150_000] ^= 1
			w.Write(bad)
			return true
		case 3: // bytes after the end
			w.Write(append(bytes.Clone(mod), 0))
			return true
		}
		return false
	})
	clock := newClock()
	m := start(t, modules.Options{Clock: clock})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	for n, text := range []string{"the connection broke before everything was sent", "is damaged: the registry sent sha256:", "is damaged: the registry sent sha256:", "is damaged: the registry sent sha256:"} {
		got := m.await("o", failedTimes(n+1))
		if got.Ready || got.Reason != ext.ReasonFetchFailed || !strings.Contains(got.Err, text) {
			t.Errorf("mode %d: %+v", n, got)
		}
		mode.Add(1)
		clock.advance(10 * time.Minute)
	}
	m.await("o", has(rt.Hex(mod)))
}

func TestAStalledDownloadIsGivenUp(t *testing.T) {
	s := rt.Start(t)
	s.Push("a", "1", rt.PluginImage(wasmtest.Plugin("x")))
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		w.Write([]byte{0x1f})
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	m := start(t, modules.Options{StallTimeout: 100 * time.Millisecond, Clock: newClock()})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	if got := m.await("o", failedTimes(1)); !strings.Contains(got.Err, "sent nothing for 100ms") {
		t.Errorf("%+v", got)
	}
}

func TestASlowHostHoldsUpNobodyElse(t *testing.T) {
	slow, fast := rt.Start(t), rt.Start(t)
	fast.Push("a", "1", rt.PluginImage(wasmtest.Plugin("x")))
	slow.Hook(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	m := start(t, modules.Options{PerHost: 2})
	for i := range 20 {
		m.Want("slow"+strconv.Itoa(i), modules.Source{URL: slow.Host + "/a:" + strconv.Itoa(i)})
	}
	m.Want("fast", modules.Source{URL: fast.Host + "/a:1"})
	m.await("fast", ready)
	if n := slow.Count("GET", ""); n > 2 {
		t.Errorf("%d requests at once", n)
	}
}

func TestAWrongChecksumIsReportedWithTheRightOnesAndDownloadsOnce(t *testing.T) {
	s, mod, clock := rt.Start(t), wasmtest.Plugin("x"), newClock()
	child := s.Push("a", "img", rt.PluginImage(mod))
	index := s.PushIndex("a", "1", rt.Entry{Digest: child, OS: "linux", Arch: "amd64"})
	m := start(t, modules.Options{Clock: clock})
	wrong := strings.Repeat("ab", 32)
	m.Want("o", modules.Source{URL: s.Host + "/a:1", SHA256: wrong})
	got := m.await("o", failedTimes(1))
	for _, part := range []string{wrong, rt.Hex(mod), child[7:], index[7:]} {
		if !strings.Contains(got.Err, part) {
			t.Errorf("%s is missing in: %s", part, got.Err)
		}
	}
	if got.Reason != ext.ReasonChecksumMismatch || got.Ready || got.NextTry.Sub(clock.Now()) != 15*time.Second {
		t.Errorf("%+v", got)
	}
	clock.advance(time.Minute)
	m.await("o", failedTimes(2))
	if n := s.Count("GET", "/blobs/"); n != 1 {
		t.Errorf("%d downloads", n)
	}
	m.Want("o", modules.Source{URL: s.Host + "/a:1", SHA256: strings.ToUpper(child[7:])})
	m.await("o", has(rt.Hex(mod)))
}

func TestAnInvalidImageIsDownloadedOnceAndHealsWhenTheTagMoves(t *testing.T) {
	s, mod, clock := rt.Start(t), wasmtest.Plugin("x"), newClock()
	s.Push("a", "1", rt.PluginImage([]byte("<html>")))
	m := start(t, modules.Options{Clock: clock})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	for n := 1; n < 4; n++ {
		if got := m.await("o", failedTimes(n)); got.Reason != ext.ReasonInvalidModule {
			t.Errorf("%+v", got)
		}
		clock.advance(5 * time.Minute)
	}
	m.await("o", failedTimes(4))
	if n := s.Count("GET", "/blobs/"); n != 1 {
		t.Errorf("%d downloads", n)
	}
	s.Push("a", "1", rt.PluginImage(mod))
	clock.advance(5 * time.Minute)
	m.await("o", has(rt.Hex(mod)))
}

func TestAMirrorIsAskedInPlaceOfTheRegistry(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("x")
	s.Push("library/a", "1", rt.PluginImage(mod))
	s.Push("team/b", "1", rt.PluginImage(mod))
	m := start(t, modules.Options{Mirrors: map[string]string{"docker.io": s.Host, "ghcr.invalid": s.Host}})
	m.Want("hub", modules.Source{URL: "a:1"})
	m.Want("other", modules.Source{URL: "oci://ghcr.invalid/team/b:1"})
	m.await("hub", has(rt.Hex(mod)))
	m.await("other", has(rt.Hex(mod)))
}

func TestDownloadsHaveALimit(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.PluginSized("big", 5000)
	s.Push("a", "1", rt.PluginImage(mod))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // no Content-Length
		for range 1000 {
			w.Write(make([]byte, 1000))
		}
	}))
	defer web.Close()
	m := start(t, modules.Options{MaxModuleBytes: 4000, Clock: newClock()})
	m.Want("oci", modules.Source{URL: s.Host + "/a:1"})
	if got := m.await("oci", failedTimes(1)); got.Reason != ext.ReasonInvalidModule || !strings.Contains(got.Err, "larger than the limit of 4000 bytes") {
		t.Errorf("%+v", got)
	}
	m.Want("web", modules.Source{URL: web.URL})
	if got := m.await("web", failedTimes(1)); got.Reason != ext.ReasonInvalidModule || !strings.Contains(got.Err, "larger than the limit of 8000 bytes") {
		t.Errorf("%+v", got)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
