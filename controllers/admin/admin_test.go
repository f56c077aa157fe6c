package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

type fake struct {
	snapshot status.Snapshot
	err      error
}

func (f fake) Snapshot(context.Context) (status.Snapshot, error) { return f.snapshot, f.err }
func (f fake) Ready(context.Context) error                       { return f.err }
func (f fake) Object(_ context.Context, kind, namespace, name string) (any, error) {
	if f.err != nil {
		return nil, f.err
	}
	if name == "missing" {
		return nil, ErrNotFound
	}
	return map[string]string{"kind": kind, "namespace": namespace, "name": name}, nil
}

func get(t *testing.T, f fake, method, url string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(f).ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w.Code, w.Body.String()
}

func TestTheEndpointAnswers(t *testing.T) {
	broken := fake{err: errors.New("still loading")}
	cases := []struct {
		name, method, url string
		source            fake
		code              int
		body              string
	}{
		{"an object as YAML", "GET", "http://127.0.0.1/status/wasmplugin/default/a", fake{}, 200, "kind: wasmplugin\nname: a\nnamespace: default\n"},
		{"an object as JSON", "GET", "http://127.0.0.1/status/WasmPlugin/default/a?o=json", fake{}, 200, "\"kind\": \"WasmPlugin\""},
		{"a cluster-scoped object", "GET", "http://localhost:1/status/GatewayClass/istio", fake{}, 200, "namespace: \"\"\n"},
		{"a missing object", "GET", "http://[::1]:1/status/Gateway/default/missing", fake{}, 404, "Gateway default/missing does not exist\n"},
		{"an unknown format", "GET", "http://127.0.0.1/status/Gateway/default/a?o=xml", fake{}, 400, "o=xml: use yaml or json\n"},
		{"the whole state has lists, never null", "GET", "http://127.0.0.1/status", fake{}, 200, "\"plugins\": [],\n  \"proxies\": []"},
		{"health while not ready", "GET", "http://127.0.0.1/healthz", broken, 200, "ok\n"},
		{"readiness while not ready", "GET", "http://127.0.0.1/readyz", broken, 503, "not ready: still loading\n"},
		{"readiness", "GET", "http://127.0.0.1/readyz", fake{}, 200, "ok\n"},
		{"the state while it cannot be had", "GET", "http://127.0.0.1/status", broken, 503, "still loading\n"},
		{"an object while it cannot be had", "GET", "http://127.0.0.1/status/Gateway/a/b", broken, 503, "still loading\n"},
		{"profiles", "GET", "http://127.0.0.1/debug/pprof/goroutine?debug=1", fake{}, 200, "goroutine profile"},
		{"the list of paths", "GET", "http://127.0.0.1/", fake{}, 200, "/status/{kind}/{namespace}/{name}"},
		{"a write is refused", "POST", "http://127.0.0.1/status", fake{}, 405, ""},
		{"a foreign name is refused", "GET", "http://evil.example:15900/status", fake{}, 403, "host \"evil.example\": ask by address or as localhost\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, body := get(t, c.source, c.method, c.url)
			if code != c.code || !strings.Contains(body, c.body) {
				t.Errorf("got %d %q, want %d %q", code, body, c.code, c.body)
			}
		})
	}
}

func TestTheClientReadsWhatTheHandlerWrites(t *testing.T) {
	priority := int32(-3)
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	want := status.Snapshot{
		Taken: at,
		Plugins: []status.PluginRow{{Kind: "WasmPlugin", Namespace: "default", Name: "a", Priority: &priority,
			Targets: []status.TargetRow{{Kind: "Gateway", Name: "gw", Accepted: true}}, Module: status.ModuleRow{NextTry: at}}},
		Proxies:    []status.ProxyRow{{ID: "p", Connected: at, LastNACK: "bad", LastNACKTime: at}},
		Gateways:   []status.GatewayRow{{Name: "gw", Ports: []int32{8080}}},
		Services:   []status.ServiceRow{{Name: "reviews", Waypoint: "default/w"}},
		LoadErrors: []status.LoadError{{File: "a.yaml", Line: 3, Message: "no"}},
	}
	server := httptest.NewServer(Handler(fake{snapshot: want}))
	defer server.Close()
	c := Client{Addr: strings.TrimPrefix(server.URL, "http://")}
	got, err := c.Snapshot(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheClientsErrorsSayWhatToDo(t *testing.T) {
	ask := func(h http.Handler) error {
		server := httptest.NewServer(h)
		addr := strings.TrimPrefix(server.URL, "http://")
		if h == nil {
			server.Close()
		} else {
			defer server.Close()
		}
		_, err := Client{Addr: addr}.Snapshot(t.Context())
		if err != nil {
			return errors.New(strings.ReplaceAll(err.Error(), addr, "ADDR"))
		}
		return nil
	}
	other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"nobody answers", ask(nil), "no wasmpoint answers at ADDR (Get \"http://ADDR/status\": dial tcp ADDR: connect: connection refused); start one with `wasmpoint standalone DIR`, or give the address of its --admin-addr with --addr"},
		{"somebody else answers", ask(other), "what answers at ADDR is not wasmpoint's admin endpoint: invalid character '<' looking for beginning of value; name the right address with --addr"},
		{"not ready", ask(Handler(fake{err: errors.New("still loading")})), "wasmpoint at ADDR answered 503 Service Unavailable: still loading"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.err == nil || c.err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", c.err, c.want)
			}
		})
	}
}
