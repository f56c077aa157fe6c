package standalone

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/proxies"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// fleet runs one Envoy per managed Gateway.
type fleet struct {
	log          *slog.Logger
	dir          string
	xds, modules string
	supervisor   *proxies.Supervisor // nil: somebody else runs the proxies

	mu  sync.Mutex
	ids map[types.NamespacedName]string
}

func newFleet(ctx context.Context, o Options, log *slog.Logger, xds, modules string, changed func()) (*fleet, error) {
	f := &fleet{log: log, xds: xds, modules: modules, dir: filepath.Join(o.DataDir, "proxies"), ids: map[types.NamespacedName]string{}}
	if o.NoProxies {
		return f, nil
	}
	path, version, err := proxies.Find(ctx, o.EnvoyPath)
	if err != nil {
		return nil, err
	}
	log.Info("envoy found", "path", path, "version", version.String())
	f.supervisor, err = proxies.NewSupervisor(proxies.Options{
		EnvoyPath: path, Dir: f.dir, Concurrency: o.Concurrency, LogLevel: o.EnvoyLogLevel,
		OnEvent: func(e proxies.Event) {
			f.logEvent(e)
			changed()
		},
	})
	return f, err
}

func (f *fleet) logEvent(e proxies.Event) {
	level := slog.LevelInfo
	if e.State == proxies.Exited || e.State == proxies.Failed {
		level = slog.LevelWarn
	}
	f.log.Log(context.Background(), level, "envoy of "+strings.Replace(e.ID, "_", "/", 1)+": "+e.String())
}

// proxyID is the name of a Gateway's proxy; "_" cannot stand in the names of objects, so no two Gateways share one.
func proxyID(gw types.NamespacedName) string { return gw.Namespace + "_" + gw.Name }

// set makes exactly these Gateways have a running Envoy.
func (f *fleet) set(gateways map[types.NamespacedName]netip.Addr) {
	if f.supervisor == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := map[types.NamespacedName]string{}
	for gw, address := range gateways {
		now[gw] = proxyID(gw)
		config, err := f.bootstrap(gw, address)
		if err == nil {
			err = f.supervisor.Ensure(proxyID(gw), config)
		}
		if err != nil {
			f.log.Error("envoy cannot be started", "gateway", gw.String(), "error", err)
		}
	}
	for gw, id := range f.ids {
		if _, still := now[gw]; !still {
			f.supervisor.Remove(id)
		}
	}
	f.ids = now
}

// adminPort is where each Envoy's own admin endpoint is, on the Gateway's address (Istio's port for it).
const adminPort = 15000

// bootstrap holds nothing that a change of the manifests could change.
func (f *fleet) bootstrap(gw types.NamespacedName, address netip.Addr) ([]byte, error) {
	return bootstrap.JSON(bootstrap.Config{
		ID: proxyID(gw), Gateway: gw, XDS: f.xds, Modules: f.modules,
		Admin: netip.AddrPortFrom(address, adminPort).String(),
	})
}

// pid is the process of a Gateway's proxy, 0 if there is none.
func (f *fleet) pid(gw types.NamespacedName) int {
	if f.supervisor == nil {
		return 0
	}
	return f.supervisor.PID(proxyID(gw))
}

func (f *fleet) close() {
	if f.supervisor == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f.supervisor.Close(ctx)
}
