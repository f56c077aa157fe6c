// Package standalone_test runs whole wasmpoints, as `wasmpoint standalone` does: YAML files in, real Envoys out.
package standalone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

const soon = 30 * time.Second

// world is a running wasmpoint with a folder of manifests.
type world struct {
	t       *testing.T
	dir     string
	data    string
	options standalone.Options
	stop    func()
	err     chan error
}

// start runs wasmpoint on the given files (name: content). Every test has an address block of its own.
func start(t *testing.T, files map[string]string) *world {
	t.Helper()
	w := prepare(t, files)
	w.run()
	return w
}

func prepare(t *testing.T, files map[string]string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), data: t.TempDir()}
	for name, content := range files {
		w.write(name, content)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("DEBUG") != "" {
		log = slog.New(eventlog.NewHandler(os.Stderr))
	}
	n := testbed.FreePort(t)
	w.options = standalone.Options{
		Dirs: []string{w.dir}, EnvoyPath: testbed.EnvoyPath(t), ClassAliases: true, DataDir: w.data,
		AddressBlock: fmt.Sprintf("127.%d.%d.0/24", 100+n%100, n/100%250), Concurrency: 2,
		AdminAddr: testbed.Address(testbed.FreePort(t)), Logger: log,
	}
	return w
}

// run starts wasmpoint in this process.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.err = make(chan error, 1)
	done := make(chan struct{})
	go func() {
		w.err <- standalone.Run(ctx, w.options)
		close(done)
	}()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	w.t.Cleanup(func() { w.stop() })
	testbed.Eventually(w.t, soon, "wasmpoint is ready", func() (bool, string) {
		select {
		case err := <-w.err:
			w.t.Fatalf("wasmpoint ended: %v", err)
		default:
		}
		err := admin.Client{Addr: w.options.AdminAddr}.Ready(ctx)
		return err == nil, fmt.Sprint(err)
	})
}

// write puts a file into the folder at once, as an editor that renames does.
func (w *world) write(name, content string) {
	w.t.Helper()
	tmp := filepath.Join(w.dir, "."+name+".tmp")
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(w.dir, name)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) snapshot() status.Snapshot {
	w.t.Helper()
	s, err := admin.Client{Addr: w.options.AdminAddr}.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// plugin waits until a plugin's row satisfies the condition and returns it.
func (w *world) plugin(name, what string, condition func(status.PluginRow) bool) status.PluginRow {
	w.t.Helper()
	var out status.PluginRow
	testbed.Eventually(w.t, soon, "plugin "+name+": "+what, func() (bool, string) {
		s := w.snapshot()
		for _, p := range s.Plugins {
			if p.Name == name {
				out = p
				text, err := json.Marshal(p)
				return condition(p), fmt.Sprint(string(text), err)
			}
		}
		return false, "no such plugin"
	})
	return out
}

func programmed(p status.PluginRow) bool { return p.Programmed }

// gateway is the address and port of a Gateway's listener.
func (w *world) gateway(name string) string {
	w.t.Helper()
	for _, g := range w.snapshot().Gateways {
		if g.Name == name && len(g.Ports) > 0 {
			return net.JoinHostPort(g.Address, fmt.Sprint(g.Ports[0]))
		}
	}
	w.t.Fatalf("no gateway %s", name)
	return ""
}

// service is the address of a Service.
func (w *world) service(name string, port int) string {
	w.t.Helper()
	for _, s := range w.snapshot().Services {
		if s.Name == name {
			return net.JoinHostPort(s.Address, fmt.Sprint(port))
		}
	}
	w.t.Fatalf("no service %s", name)
	return ""
}

var client = &http.Client{Timeout: 5 * time.Second}

// answers waits for a status and the plugins that marked the response.
func (w *world) answers(addr, path string, code int, plugins string) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, fmt.Sprintf("%s%s answers %d with plugins %q", addr, path, code, plugins), func() (bool, string) {
		status, h, err := testbed.Get(client, "http://"+addr+path)
		if err != nil {
			return false, err.Error()
		}
		got := strings.Join(h.Values("x-plugins-response"), ",")
		return status == code && got == plugins, fmt.Sprintf("status %d, plugins %q", status, got)
	})
}

// backend is an HTTP server that answers 200 with its name, and its manifests: a Service with an EndpointSlice.
func backend(t *testing.T, name string, labels string, ports string) (manifest string, server *httptest.Server) {
	t.Helper()
	server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("x-backend", name)
		_, _ = io.WriteString(rw, r.Header.Get("x-plugins"))
	}))
	t.Cleanup(server.Close)
	return serviceManifest(name, labels, ports, server.Listener.Addr().(*net.TCPAddr).Port), server
}

func serviceManifest(name, labels, portName string, port int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  labels: {%[2]s}
spec:
  ports:
  - {name: %[3]s, port: 9080}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports:
- {name: %[3]s, port: %[4]d}
endpoints:
- addresses: ["127.0.0.1"]
`, name, labels, portName, port)
}

const ingress = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: http, port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  parentRefs:
  - {name: edge}
  rules:
  - backendRefs:
    - {name: web, port: 9080}
`

const waypoint = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: waypoint
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners:
  - {name: mesh, port: 15008, protocol: HBONE}
`

// module writes a marker module beside the manifests and returns its file:// URL.
func (w *world) module(name, seed string) string {
	w.t.Helper()
	w.write(name, string(wasmtest.Unique(wasmtest.Marker(w.t), seed)))
	return "file://./" + name
}

func pluginManifest(name, url, kind, target, config, more string) string {
	group := "gateway.networking.k8s.io"
	if kind == "Service" {
		group = `""`
	}
	return fmt.Sprintf(`apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: %s
spec:
  url: %s
  targetRefs:
  - {group: %s, kind: %s, name: %s}
  pluginConfig: %s
%s
`, name, url, group, kind, target, config, more)
}
