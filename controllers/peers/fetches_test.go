package peers

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/acks"
)

func TestAFetchIsToldToEveryPeerAlsoWhenOneIsDead(t *testing.T) {
	heard := make(chan Fetch, 10)
	var addresses []string
	for _, name := range []string{"a", "b"} {
		h := httptest.NewServer(Handler(acks.NewRegistry(acks.Events{}), name, &Changes{}, func(f Fetch) { heard <- f }))
		t.Cleanup(h.Close)
		addresses = append(addresses, strings.TrimPrefix(h.URL, "http://"))
	}
	dead := httptest.NewServer(http.NotFoundHandler())
	addresses = append(addresses, strings.TrimPrefix(dead.URL, "http://"))
	dead.Close()
	f := NewFetches(func() []string { return addresses }, nil, slog.New(slog.DiscardHandler))
	go f.Run(t.Context())
	want := Fetch{Digest: "d", Proxy: "a-1", Complete: true}
	f.Tell(want)
	for range 2 {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard of %+v, want %+v", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a peer heard of nothing")
		}
	}
}

func TestTellingNeverWaits(t *testing.T) {
	f := NewFetches(func() []string { return nil }, nil, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 * maxFetches { // nobody runs it
			f.Tell(Fetch{Proxy: "a-1"})
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
}

func TestAFetchThatNamesNoStreamIsNotTold(t *testing.T) {
	f := NewFetches(func() []string { return nil }, nil, slog.New(slog.DiscardHandler))
	f.Tell(Fetch{Digest: "d"})
	f.Tell(Fetch{Digest: "d", Proxy: strings.Repeat("x", maxName+1)})
	if len(f.wait) != 0 {
		t.Errorf("%d fetches wait to be told", len(f.wait))
	}
}

func TestWhatIsNoListOfFetchesIsRefused(t *testing.T) {
	h := Handler(acks.NewRegistry(acks.Events{}), "a", &Changes{}, func(Fetch) { t.Error("heard of a fetch") })
	for _, body := range []string{"", "{}", `[{"digest":1}]`, "[" + strings.Repeat(`{"digest":"x"},`, maxFetchesBytes/14) + "]"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, FetchesPath, strings.NewReader(body)))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%.20q is answered with %d", body, w.Code)
		}
	}
}

func TestFetchesAreToldOverTLSWithACertificateAlone(t *testing.T) {
	server, client := peerTLS(t)
	heard := make(chan Fetch, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: Handler(acks.NewRegistry(acks.Events{}), "a", &Changes{}, func(f Fetch) { heard <- f })}
	go func() { _ = h.Serve(tls.NewListener(l, server)) }()
	t.Cleanup(func() { _ = h.Close() })
	tell := func(config *tls.Config) {
		NewFetches(func() []string { return []string{l.Addr().String()} }, config, slog.New(slog.DiscardHandler)).
			send(t.Context(), []Fetch{{Digest: "d"}})
	}
	tell(&tls.Config{InsecureSkipVerify: true})
	if len(heard) != 0 {
		t.Error("a stranger was heard")
	}
	tell(client)
	testbed.Eventually(t, 20*time.Second, "the peer is heard", func() (bool, string) { return len(heard) == 1, "" })
}
