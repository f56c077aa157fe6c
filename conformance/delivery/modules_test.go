package delivery_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// moduleServer serves modules by digest, with a delay or a failure when a test wants one.
type moduleServer struct {
	port   int
	onDone func(string, url.Values, bool)

	mu      sync.Mutex
	modules map[string][]byte
	delay   map[string]time.Duration
	broken  map[string]bool
	fetches map[string]int
}

func newModuleServer(t *testing.T, onDone func(string, url.Values, bool)) *moduleServer {
	t.Helper()
	m := &moduleServer{onDone: onDone, modules: map[string][]byte{}, delay: map[string]time.Duration{}, broken: map[string]bool{}, fetches: map[string]int{}}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = lis.Addr().(*net.TCPAddr).Port
	s := &http.Server{Handler: m, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

func (m *moduleServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	digest := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/modules/sha256/"), ".wasm")
	m.mu.Lock()
	body, delay, broken := m.modules[digest], m.delay[digest], m.broken[digest]
	m.fetches[digest]++
	m.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	if body == nil || broken {
		rw.WriteHeader(http.StatusServiceUnavailable)
		m.onDone(digest, r.URL.Query(), false)
		return
	}
	_, err := rw.Write(body)
	m.onDone(digest, r.URL.Query(), err == nil)
}

// add makes a module available and returns its digest.
func (m *moduleServer) add(body []byte) string {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.modules[digest] = body
	return digest
}

func (m *moduleServer) set(digest string, delay time.Duration, broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay[digest], m.broken[digest] = delay, broken
}

func (m *moduleServer) fetched(digest string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetches[digest]
}
