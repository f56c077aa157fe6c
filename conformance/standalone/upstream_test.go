package standalone_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
)

// upstream is an HTTP backend that says what it saw, and counts requests by basic-auth's mark and by the time in which
// they were begun (header x-era, see traffic).
type upstream struct {
	port int
	mu   sync.Mutex
	eras map[string]*bookinfo.Counter
}

// backend runs an upstream until the test ends. It also gives the manifests: a Service with its EndpointSlice.
func backend(t *testing.T, name, labels, portName string) (manifest string, u *upstream) {
	t.Helper()
	u = &upstream{eras: map[string]*bookinfo.Counter{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u.era(r.Header.Get("x-era")).Add(r.Header.Values(bookinfo.MarkHeader))
		rw.Header().Set("x-backend", name)
		rw.Header().Set("x-saw", r.Header.Get("x-plugins"))
		_, _ = io.WriteString(rw, "hello from "+name)
	}))
	t.Cleanup(server.Close)
	u.port = server.Listener.Addr().(*net.TCPAddr).Port
	return serviceManifest(name, labels, portName, u.port), u
}

func (u *upstream) era(name string) *bookinfo.Counter {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.eras[name]
	if c == nil {
		c = &bookinfo.Counter{}
		u.eras[name] = c
	}
	return c
}
