// Package wide_test measures an urgent change behind a wide one: one Service's plugin changes while a plugin of the whole
// waypoint, with 500 Services, changes again and again.
package wide_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/load"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

const (
	// services is how many Services the waypoint has.
	services = 500
	// limit only ends a broken run.
	limit = 3 * time.Minute
	// The plugins: of the whole waypoint, and of one Service. They stand in the same slot of that Service.
	wide, urgent = "wide", "urgent"
	// urgentService is the one with the plugin of its own.
	urgentService = "s250"
)

// world is a running wasmpoint with one waypoint and its Services.
type world struct {
	tb     testing.TB
	dir    string
	admin  string
	log    *testbed.Text
	client *http.Client
	// addrs are the Services' addresses by name.
	addrs map[string]string
	// versions are what was written last, by plugin.
	versions map[string]*atomic.Int64
}

func start(tb testing.TB) *world {
	tb.Helper()
	w := &world{
		tb: tb, dir: tb.TempDir(), admin: testbed.Address(testbed.FreePort(tb)), log: &testbed.Text{},
		addrs: map[string]string{}, versions: map[string]*atomic.Int64{wide: {}, urgent: {}},
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2}},
	}
	tb.Cleanup(w.client.CloseIdleConnections)
	w.write("module.wasm", string(wasmtest.Marker(tb)))
	w.write("services.yaml", manifests(w.backend()))
	data := tb.TempDir()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("wasmpoint's log:\n%s", w.log)
		}
	})
	n := testbed.FreePort(tb)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- standalone.Run(ctx, standalone.Options{
			Dirs: []string{w.dir}, EnvoyPath: testbed.EnvoyPath(tb), DataDir: data, AdminAddr: w.admin, Concurrency: 2,
			AddressBlock: fmt.Sprintf("127.%d.%d.0/22", 100+n%100, n/100%60*4), PortOffset: addresses.AutomaticOffset,
			EnvoyLogLevel: "warning", Logger: slog.New(eventlog.NewHandler(w.log)),
		})
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("wasmpoint: %v", err)
		}
	})
	testbed.Eventually(tb, limit, "the waypoint has all slots", func() (bool, string) {
		select {
		case err := <-done:
			done <- err
			tb.Fatalf("wasmpoint ended: %v", err)
		default:
		}
		s, err := w.snapshot()
		if err != nil || len(s.Proxies) == 0 {
			return false, fmt.Sprint(err)
		}
		for _, row := range s.Services {
			w.addrs[row.Name] = net.JoinHostPort(row.Address, "9080")
		}
		p := s.Proxies[0]
		return p.Slots >= 4*services && p.Synced >= 4*services, fmt.Sprintf("%d slots, %d synced", p.Slots, p.Synced)
	})
	return w
}

// backend answers for all Services.
func (w *world) backend() int {
	w.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.tb.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = s.Serve(l) }()
	w.tb.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func (w *world) snapshot() (status.Snapshot, error) {
	return admin.Client{Addr: w.admin}.Snapshot(context.Background())
}

// change writes a plugin's next version and returns it.
func (w *world) change(plugin string) string {
	w.tb.Helper()
	version := strconv.FormatInt(w.versions[plugin].Add(1), 10)
	target := "{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}"
	if plugin == urgent {
		target = `{group: "", kind: Service, name: ` + urgentService + "}"
	}
	w.write(plugin+".yaml", fmt.Sprintf(`apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: %s}
spec:
  url: file://./module.wasm
  targetRefs: [%s]
  pluginConfig: {name: %s, version: "%s"}
`, plugin, target, plugin, version))
	return version
}

// write puts a file into the folder at once, as an editor that renames does.
func (w *world) write(name, content string) {
	tmp := filepath.Join(w.dir, "."+name+".tmp")
	err := os.WriteFile(tmp, []byte(content), 0o600)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(w.dir, name))
	}
	if err != nil {
		w.tb.Error(err)
	}
}

// version asks a Service once for the version of a plugin in force there, "" for none.
func (w *world) version(service, plugin string) (string, error) {
	code, h, err := testbed.Get(w.client, "http://"+w.addrs[service]+"/")
	if err != nil {
		return "", err
	}
	if code != http.StatusOK {
		return "", fmt.Errorf("status %d", code)
	}
	return h.Get("x-plugin-version-" + plugin), nil
}

// reaches waits until a version is in force on a Service, asking with a pause in between. Every request has to be
// answered 200.
func (w *world) reaches(service, plugin, version string, pause time.Duration) {
	for end := time.Now().Add(limit); ; {
		got, err := w.version(service, plugin)
		if err != nil {
			w.tb.Errorf("a request of %s failed while %s changes: %v", service, plugin, err)
			return
		}
		if got == version {
			return
		}
		if time.Now().After(end) {
			w.tb.Errorf("%s has version %q of %s, not %s, after %s", service, got, plugin, version, limit)
			return
		}
		time.Sleep(pause)
	}
}

// everywhere waits until a version of the wide plugin is in force on all Services, asking one after another.
func (w *world) everywhere(version string) {
	for i := range services {
		w.reaches(serviceName(i), wide, version, 5*time.Millisecond)
	}
}

// drive is constant load on the urgent Service in which every answer has both plugins.
func (w *world) drive() *load.Load {
	return load.Start(load.Config{
		Rate: 100, Workers: 4,
		Request: func() (*http.Request, error) {
			return http.NewRequest(http.MethodGet, "http://"+w.addrs[urgentService]+"/", nil)
		},
		Check: func(r *http.Response) error {
			for _, plugin := range []string{wide, urgent} {
				if r.StatusCode != http.StatusOK || r.Header.Get("x-plugin-version-"+plugin) == "" {
					return fmt.Errorf("status %d without the mark of %s", r.StatusCode, plugin)
				}
			}
			return nil
		},
	})
}

// rss is the resident memory of the waypoint's Envoy in MB.
func (w *world) rss() float64 {
	w.tb.Helper()
	s, err := w.snapshot()
	if err != nil {
		w.tb.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Proxies[0].PID))
	if err != nil {
		w.tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		w.tb.Fatal(err)
	}
	return float64(kb) / 1024
}

func serviceName(i int) string { return fmt.Sprintf("s%03d", i) }
