package standalone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/files"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// Run serves the manifests until ctx ends. It returns an error when it cannot start: no fit Envoy, an address in use, or
// manifests with errors. Later errors in manifests are reported, and what they held before stays in force.
func Run(ctx context.Context, o Options) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s, err := start(ctx, o, stop)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil // ended before it had begun
		}
		return err
	}
	<-ctx.Done()
	s.close()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// instance is a running standalone wasmpoint.
type instance struct {
	o        Options
	log      *slog.Logger
	block    netip.Prefix
	engine   *engine.Engine
	registry *acks.Registry
	fleet    *fleet
	network  network
	source   *source
	grpc     *grpc.Server
	servers  []*http.Server
	modules  *modules.Manager
	running  sync.WaitGroup
	// listeners are those of xDS, modules and admin.
	listeners []net.Listener
	// lock is that of the data folder.
	lock *os.File
}

func start(ctx context.Context, o Options, stop context.CancelCauseFunc) (_ *instance, err error) {
	s := &instance{o: o, log: o.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.block, err = addresses.ParseBlock(defaultTo(o.AddressBlock, addresses.DefaultBlock)); err != nil {
		return nil, err
	}
	s.network.offset = addresses.DetectOffset(o.PortOffset, s.block.Addr().Next().String(), net.Listen)
	defer func() {
		if err != nil {
			stop(err) // ends what has begun
			s.close()
		}
	}()
	if s.lock, err = lockDir(o.DataDir); err != nil {
		return nil, err
	}
	listeners, err := listen(o.XDSAddr, o.ModulesAddr, o.AdminAddr)
	if err != nil {
		return nil, err
	}
	s.listeners = listeners
	s.modules, err = modules.New(modules.Options{Dir: filepath.Join(o.DataDir, "modules"), Mirrors: o.Mirrors, Files: "/", Logger: s.log})
	if err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}

	hub := cache.NewHub()
	changed := make(chan struct{}, 1)
	s.registry = acks.NewRegistry(acks.Events{
		Changed: func(acks.Change) { signal(changed) },
		Runs:    func(variant string) { s.engine.ProxyRuns(variant) },
	})
	if s.fleet, err = newFleet(ctx, o, s.log, listeners[0].Addr().String(), listeners[1].Addr().String(), func() { signal(changed) }); err != nil {
		return nil, err
	}
	s.engine, err = engine.New(engine.Options{
		HostEnv: []string{"*"}, // proxies on the user's own machine
		Attach:  attach.Config{RootNamespace: o.RootNamespace, ClassAliases: aliases(o)},
		Modules: s.modules, Hub: hub, Registry: s.registry,
		LastGood: engine.FileLastGood{Path: filepath.Join(o.DataDir, "last-good.json")},
		OnChange: func() { signal(changed) }, OnGateways: s.fleet.set, Logger: s.log, WaitForModule: o.WaitForModule,
	})
	if err != nil {
		return nil, err
	}
	// Nothing is served before the manifests are complete: a proxy that asked earlier could be told that there is no plugin.
	s.source = &source{s: s}
	s.spawn(func() { s.engine.Run(ctx) })
	ready := make(chan error, 1)
	s.spawn(func() { s.watch(ctx, ready, stop) })
	select {
	case err := <-ready:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}

	s.serve(hub, listeners)
	s.spawn(func() { s.report(ctx, changed) })
	s.log.Info("serving", "xds", listeners[0].Addr().String(), "modules", listeners[1].Addr().String(), "admin", listeners[2].Addr().String())
	return s, nil
}

// serve starts the three servers.
func (s *instance) serve(hub *cache.Hub, listeners []net.Listener) {
	x := server.New(server.Options{
		Hub: hub, Registry: s.registry, Identify: s.identify, ModuleCluster: names.ModulesCluster, Logger: s.log,
		WaitForModule: s.o.WaitForModule,
		ModuleURL: func(digest string, query url.Values) string {
			return "http://" + names.ModulesCluster + modules.Path(digest) + "?" + query.Encode()
		},
	})
	s.modules.OnServed(func(digest string, query url.Values, complete bool) {
		_ = x.Served(digest, query.Get(server.QueryProxy), complete)
	})
	s.grpc = grpc.NewServer(server.GRPCOptions()...)
	x.Register(s.grpc)
	s.spawn(func() { _ = s.grpc.Serve(listeners[0]) }) // ends with Stop
	for i, handler := range []http.Handler{s.modules.Handler(), admin.Handler(s)} {
		h := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		s.servers = append(s.servers, h)
		s.spawn(func() { _ = h.Serve(listeners[i+1]) }) // ends with Close
	}
}

// close ends everything that has begun; the context has ended before.
func (s *instance) close() {
	if s.fleet != nil {
		s.fleet.close()
	}
	if s.grpc != nil {
		s.grpc.Stop()
	}
	for _, h := range s.servers {
		_ = h.Close()
	}
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.running.Wait()
	if s.modules != nil {
		s.modules.Close()
	}
	if s.lock != nil {
		_ = s.lock.Close() // last: only now another run may use the folder
	}
}

func (s *instance) spawn(f func()) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		f()
	}()
}

// identify trusts the node's own word: xDS is on loopback, in plain text, for proxies of this very process.
func (s *instance) identify(_ context.Context, node *corev3.Node) (types.NamespacedName, error) {
	return bootstrap.GatewayOf(node)
}

// aliases are Istio's class names, so that its manifests run unedited.
func aliases(o Options) map[string]string {
	if !o.ClassAliases {
		return nil
	}
	return attach.IstioAliases()
}

// listen opens the three listeners, or none.
func listen(addrs ...string) ([]net.Listener, error) {
	var out []net.Listener
	for _, a := range addrs {
		l, err := listenLoopback(defaultTo(a, "127.0.0.1:0"))
		if err != nil {
			for _, open := range out {
				_ = open.Close()
			}
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// listenLoopback refuses other addresses: xDS and modules are in plain text here.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w; give HOST:PORT such as 127.0.0.1:0", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("address %q is not a loopback address: standalone serves in plain text; give 127.0.0.1:PORT", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; is another wasmpoint running? Give another address", err)
	}
	return l, nil
}

func loadErrors(list []files.Error) error {
	lines := make([]string, 0, len(list)+1)
	for _, e := range list {
		lines = append(lines, e.Error())
	}
	return fmt.Errorf("the manifests have errors; nothing was started:\n  %s", strings.Join(lines, "\n  "))
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func defaultTo(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
