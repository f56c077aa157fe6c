package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// DefaultAddress is where the endpoint listens unless a flag says otherwise.
const DefaultAddress = "127.0.0.1:15900"

// ErrNotFound is what Source.Object returns for an object that does not exist.
var ErrNotFound = errors.New("not found")

// Source answers the questions. Its methods are called from many goroutines, and return early when ctx ends.
type Source interface {
	// Snapshot is the whole state in its compact form.
	Snapshot(ctx context.Context) (status.Snapshot, error)
	// Object is one object with its full status, in the form that `kubectl get -o yaml` shows. The kind is compared
	// without regard to case; namespace is empty for a cluster-scoped object. ErrNotFound says that there is none.
	Object(ctx context.Context, kind, namespace, name string) (any, error)
	// Ready is nil when proxies are served, and says what is missing otherwise.
	Ready(ctx context.Context) error
}

// Handler serves the endpoint described in the package's comment.
func Handler(s Source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		snapshot, err := s.Snapshot(r.Context())
		if err != nil {
			fail(w, http.StatusServiceUnavailable, err)
			return
		}
		writeJSON(w, withLists(snapshot))
	})
	object := func(w http.ResponseWriter, r *http.Request) { serveObject(s, w, r) }
	mux.HandleFunc("GET /status/{kind}/{namespace}/{name}", object)
	mux.HandleFunc("GET /status/{kind}/{name}", object)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { ok(w) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Ready(r.Context()); err != nil {
			fail(w, http.StatusServiceUnavailable, fmt.Errorf("not ready: %w", err))
			return
		}
		ok(w)
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "wasmpoint\n\n/status\n/status/{kind}/{namespace}/{name}\n/healthz\n/readyz\n/debug/pprof/\n")
	})
	return onlyLocalHost(mux)
}

func serveObject(s Source, w http.ResponseWriter, r *http.Request) {
	kind, namespace, name := r.PathValue("kind"), r.PathValue("namespace"), r.PathValue("name")
	o, err := s.Object(r.Context(), kind, namespace, name)
	switch {
	case errors.Is(err, ErrNotFound):
		full := name
		if namespace != "" {
			full = namespace + "/" + name
		}
		fail(w, http.StatusNotFound, fmt.Errorf("%s %s does not exist", kind, full))
		return
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	if format := r.URL.Query().Get("o"); format == "json" {
		writeJSON(w, o)
		return
	} else if format != "" && format != "yaml" {
		fail(w, http.StatusBadRequest, fmt.Errorf("o=%s: use yaml or json", format))
		return
	}
	body, err := yaml.Marshal(o)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(body)
}

// onlyLocalHost refuses names: see the package's comment. Addresses are fine, whoever asks has to know them.
func onlyLocalHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
			fail(w, http.StatusForbidden, fmt.Errorf("host %q: ask by address or as localhost", host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withLists replaces nil lists, so that every list of the JSON form is a list.
func withLists(s status.Snapshot) status.Snapshot {
	s.Plugins = append([]status.PluginRow{}, s.Plugins...)
	s.Proxies = append([]status.ProxyRow{}, s.Proxies...)
	s.Gateways = append([]status.GatewayRow{}, s.Gateways...)
	s.Services = append([]status.ServiceRow{}, s.Services...)
	s.LoadErrors = append([]status.LoadError{}, s.LoadErrors...)
	return s
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

func ok(w http.ResponseWriter) { _, _ = fmt.Fprintln(w, "ok") }

func fail(w http.ResponseWriter, code int, err error) { http.Error(w, err.Error(), code) }
