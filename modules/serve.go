package modules

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wasmpoint/wasmpoint/modules/store"
)

// PathPrefix begins the path of every module on the module server; Path completes it.
const PathPrefix = "/modules/sha256/"

// Path is where the module of a digest is served.
func Path(digest string) string { return PathPrefix + digest + ".wasm" }

// ServedFunc is told of each answered GET of a module: with the URL's query (which names proxy and attempt), and whether
// every byte was handed to the connection without error.
type ServedFunc func(digest string, query url.Values, complete bool)

// OnServed registers a function that is called after a response ended, in the goroutine of that response.
func (m *Manager) OnServed(f ServedFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.served = append(m.served, f)
}

// Handler serves GET and HEAD of modules by digest. Who may ask is decided in front of it. An answer is complete and
// unchanging: it can be cached for ever.
func (m *Manager) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		digest, ok := strings.CutPrefix(r.URL.Path, PathPrefix)
		digest, wasm := strings.CutSuffix(digest, ".wasm")
		switch {
		case !ok || !wasm || !store.IsDigest(digest):
			http.Error(w, "no module here; modules are at "+Path("<64 hex digits>"), http.StatusNotFound)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "modules can only be read", http.StatusMethodNotAllowed)
			return
		}
		m.serve(w, r, digest)
	})
}

func (m *Manager) serve(w http.ResponseWriter, r *http.Request, digest string) {
	f, size, err := m.Open(digest)
	switch {
	case errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrCorrupt):
		http.Error(w, fmt.Sprintf("module %s is not here: not fetched yet, or no longer used", digest), http.StatusNotFound)
		return
	case err != nil:
		m.log.Error("a module cannot be read", "digest", digest, "err", err)
		http.Error(w, "the module cannot be read; see the controller's log", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("ETag", `"`+digest+`"`)
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	if strings.Contains(r.Header.Get("If-None-Match"), digest) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/wasm")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	n, err := io.Copy(w, f)
	complete := err == nil && n == size
	if complete && http.NewResponseController(w).Flush() != nil {
		complete = false
	}
	m.mu.Lock()
	served := m.served
	m.mu.Unlock()
	for _, f := range served {
		f(digest, r.URL.Query(), complete && r.Context().Err() == nil)
	}
}
