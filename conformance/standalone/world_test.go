// Package standalone_test runs whole wasmpoints, as `wasmpoint standalone` does: YAML files in, real Envoys out.
package standalone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// soon is the patience of every poll: generous, because the machine may be busy. What was measured is logged.
const soon = 2 * time.Minute

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
	log := &testbed.Text{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("wasmpoint's log:\n%s", log.String())
		}
	})
	n := testbed.FreePort(t)
	w.options = standalone.Options{
		Dirs: []string{w.dir}, EnvoyPath: testbed.EnvoyPath(t), ClassAliases: true, DataDir: w.data,
		AddressBlock: fmt.Sprintf("127.%d.%d.0/24", 100+n%100, n/100%250), Concurrency: 2,
		AdminAddr: testbed.Address(testbed.FreePort(t)), PortOffset: addresses.AutomaticOffset,
		Logger: slog.New(eventlog.NewHandler(log)),
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
	w.eventually("wasmpoint is ready", func() (bool, string) {
		select {
		case err := <-w.err:
			w.t.Fatalf("wasmpoint ended: %v", err)
		default:
		}
		err := admin.Client{Addr: w.options.AdminAddr}.Ready(ctx)
		return err == nil, fmt.Sprint(err)
	})
}

func (w *world) eventually(what string, condition func() (bool, string)) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, what, condition)
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
	w.eventually("plugin "+name+": "+what, func() (bool, string) {
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
