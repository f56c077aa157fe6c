// Package cluster is `wasmpoint controller`: the same engine as standalone, with the API server as its source, proxies that
// somebody else starts, and one replica, the leader, that writes status back.
//
// A replica serves no proxy before it knows the whole cluster, and none when it does not know any more whether what it
// knows is true (kube.Freshness). Losing the leadership ends the writing and nothing else.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	clientcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/kube"
	"github.com/wasmpoint/wasmpoint/controllers/lastgood"
	"github.com/wasmpoint/wasmpoint/controllers/metrics"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/peers"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/controllers/provisioner"
	"github.com/wasmpoint/wasmpoint/controllers/publish"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// remember is how long a proxy that is in no Pod still counts after it left: one that crashes every few seconds must not
// vanish from the count while it is away.
const remember = 2 * time.Minute

// linger is how long a waypoint still serves a Service whose binding ended: ztunnel hears of it by istiod, after us or before.
const linger = 10 * time.Second

// replica is one running controller.
type replica struct {
	c   Config
	log *slog.Logger
	ctx context.Context // of the whole replica, for stopping

	manager   manager.Manager
	external  clientcache.Cache // the Pods of external proxies
	clientset kubernetes.Interface
	fresh     *kube.Freshness
	source    *kube.Source
	modules   *modules.Manager
	hub       *cache.Hub
	registry  *acks.Registry
	engine    *engine.Engine
	good      *lastgood.Store
	publisher *publish.Publisher
	provision *provisioner.Provisioner
	changes   peers.Changes
	authority *pki.Authority // nil without TLS
	// admit tells whether a stream may speak at all; nil: each may.
	admit     func(context.Context) error
	listeners listeners
	running   sync.WaitGroup
	// leadsSince is when this replica's term began, in nanoseconds since 1970.
	leadsSince atomic.Int64
	// saved is closed when the last good configurations are written for the last time.
	saved chan struct{}
}

// SetLogger gives the log to the libraries, which have one for the whole process. Call it once, before Run.
func SetLogger(log *slog.Logger) {
	klog.SetSlogLogger(log)
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
}

// Run serves until ctx ends. It returns an error when it cannot start: no API server, a port in use, a broken CA.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	r := &replica{c: c, log: log, saved: make(chan struct{})}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := r.make(ctx); err != nil {
		r.close()
		return err
	}
	r.ctx = ctx
	r.start(ctx, stop)
	<-ctx.Done()
	r.close()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// make opens and connects everything; nothing runs yet.
func (r *replica) make(ctx context.Context) error {
	c := r.c
	r.fresh = kube.NewFreshness(c.StaleAfter.Duration, r.log, time.Now)
	config, err := r.restConfig()
	if err != nil {
		return err
	}
	scheme, err := kube.Scheme()
	if err != nil {
		return err
	}
	cacheOptions, err := kube.CacheOptions(scheme)
	if err != nil {
		return err
	}
	if r.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	r.manager, err = ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: cacheOptions,
		Metrics: metricsserver.Options{BindAddress: c.Metrics.Address}, HealthProbeBindAddress: c.Health.Address,
		// Status is read from the cache by the publisher; what else is read is read once.
		Client: client.Options{Cache: &client.CacheOptions{}},
	})
	if err != nil {
		return fmt.Errorf("API server %s: %w", config.Host, err)
	}
	if r.external, err = clientcache.New(config, kube.ExternalCacheOptions(scheme)); err != nil {
		return fmt.Errorf("API server %s: %w", config.Host, err)
	}
	uncached, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	if c.TLS.Enabled {
		if r.authority, err = pki.Ensure(ctx, uncached, c.Namespace); err != nil {
			return err
		}
	}
	r.modules, err = modules.New(modules.Options{Dir: filepath.Join(c.DataDir, "modules"), Mirrors: c.Mirrors, Files: c.ModuleDir, Logger: r.log})
	if err != nil {
		return fmt.Errorf("module store in dataDir %s: %w", c.DataDir, err)
	}
	r.hub = cache.NewHub()
	r.registry = acks.NewRegistry(acks.Events{
		Changed: func(change acks.Change) {
			r.engine.ProxyChanged(change)
			r.changes.Notify(change)
		},
		Runs: func(variant string) { r.engine.ProxyRuns(variant) },
	})
	r.good = lastgood.New(uncached, c.Namespace, r.log)
	r.engine, err = engine.New(engine.Options{
		Attach:  attach.Config{RootNamespace: c.RootNamespace, ClassAliases: r.aliases()},
		Modules: r.modules, Hub: r.hub, Registry: r.registry, LastGood: r.good, Logger: r.log,
		WaitForModule: c.WaitForModule.Duration, HostEnv: c.HostEnv, Remember: remember, Linger: linger,
		OnStatus: func(d status.Dirty) { r.publisher.Dirty(d) },
	})
	if err != nil {
		return err
	}
	r.provision = r.newProvisioner()
	r.publisher = publish.New(publish.Options{
		Provisions: r.provision,
		Engine:     r.engine, Client: r.manager.GetClient(), Reader: r.manager.GetCache(),
		Recorder: r.manager.GetEventRecorder("wasmpoint"), Logger: r.log, Hold: r.hold,
	})
	r.source = kube.New(kube.Options{
		Cache: r.manager.GetCache(), External: r.external, Secrets: r.clientset.CoreV1(), Engine: r.engine, Logger: r.log,
		Touched: func(key model.Key) { r.publisher.Dirty(status.Dirty{Plugins: []model.Key{key}}) },
		Seen:    r.seen,
		Forget:  r.fresh.Forget,
		Network: kube.Network{View: r.engine.View(), Waypoint: r.engine.IsWaypoint, WaypointOnPod: c.WaypointListen == "pod"},
	})
	if err := r.addHealth(); err != nil {
		return err
	}
	return r.listeners.open(c)
}

func (r *replica) aliases() map[string]string {
	if !r.c.ClassAliases {
		return nil
	}
	return attach.IstioAliases()
}

// restConfig says how to reach the API server.
func (r *replica) restConfig() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules() // KUBECONFIG, then the usual file, then the Pod's own
	rules.ExplicitPath = r.c.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("API server: %w; run in a Pod, or name a file with --kubeconfig", err)
	}
	config.QPS, config.Burst = r.c.Client.QPS, r.c.Client.Burst
	config.UserAgent = "wasmpoint/" + r.c.Replica
	config.Wrap(r.fresh.Transport)
	return config, nil
}

// start lets everything run; proxies are served when the engine has the whole cluster.
func (r *replica) start(ctx context.Context, stop context.CancelCauseFunc) {
	fail := func(err error) {
		if err != nil && ctx.Err() == nil {
			stop(err)
		}
	}
	r.spawn(func() { fail(r.manager.Start(ctx)) })
	r.spawn(func() { fail(r.external.Start(ctx)) })
	// What the engine learnt last is still written when it has ended.
	keep, kept := context.WithCancel(context.WithoutCancel(ctx))
	r.spawn(func() { r.engine.Run(ctx); kept() })
	r.spawn(func() { r.good.Run(keep); close(r.saved) })
	r.spawn(func() { r.good.Watch(ctx, r.engine.Learn) })
	r.spawn(func() { fail(r.source.Run(ctx)) })
	r.spawn(func() { r.serve(ctx, fail) })
	r.spawn(func() { r.lead(ctx) })
	r.spawn(func() {
		defer metrics.Counts(r.counts).Register()()
		<-ctx.Done()
	})
	if r.c.LeaderElection.Enabled {
		r.spawn(func() {
			r.fresh.Run(ctx, r.clientset.CoordinationV1().Leases(r.c.Namespace), r.c.LeaderElection.LeaseName)
		})
	}
	if r.authority != nil {
		r.spawn(func() { r.authority.Run(ctx, pki.ReloadEvery, r.log) })
	}
}

// stopping tells that the whole replica ends, and not its leadership alone.
func (r *replica) stopping() bool { return r.ctx.Err() != nil }

func (r *replica) spawn(f func()) {
	r.running.Add(1)
	go func() {
		defer r.running.Done()
		f()
	}()
}

// close waits for everything that ended with the context.
func (r *replica) close() {
	r.listeners.close()
	r.running.Wait()
	if r.modules != nil {
		r.modules.Close()
	}
}

// comeBack is how long proxies whose controller ended have for coming back before they count as missing: Envoy waits up to 15
// s between two tries.
const comeBack = 20 * time.Second

// hold is how much of that is left in this term of leadership.
func (r *replica) hold() time.Duration {
	return max(0, time.Until(time.Unix(0, r.leadsSince.Load()).Add(comeBack)))
}

// counts are what the publisher did.
func (r *replica) counts() (written, conflicts, failed, skipped int64) {
	c := r.publisher.Counters()
	return c.Writes.Load(), c.Conflicts.Load(), c.Errors.Load(), c.Skipped.Load()
}

// addHealth tells the kubelet: alive as long as the process answers, ready as long as proxies are served.
func (r *replica) addHealth() error {
	if err := r.manager.AddHealthzCheck("process", func(*http.Request) error { return nil }); err != nil {
		return err
	}
	return r.manager.AddReadyzCheck("serving", func(*http.Request) error { return r.ready() })
}

// ready is nil when proxies are served.
func (r *replica) ready() error {
	select {
	case <-r.source.Ready():
	default:
		return errors.New(r.source.Missing())
	}
	if !r.fresh.Fresh() {
		return errors.New("no word from the API server: what is known may be old")
	}
	return nil
}
