// Package engine is the one loop between the sources and the proxies: it owns the store, asks for modules, keeps every
// slot and resource of the xDS cache what the rules say, and answers what is so.
//
// Everything happens in the goroutine of Run; other goroutines only post work to it. Decisions are elsewhere, in pure
// packages: attach, routes, xds/build, xds/dataplane, status.
package engine

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// Modules is what the engine needs of the module manager.
type Modules interface {
	Want(owner string, s modules.Source) modules.State
	Release(owner string)
	State(owner string) modules.State
	Subscribe(func(owner string))
	Pin(digests []string)
}

// Options configure an Engine. Modules, Hub, Registry and LastGood are needed.
type Options struct {
	Attach   attach.Config
	Modules  Modules
	Hub      *cache.Hub
	Registry *acks.Registry
	LastGood LastGood
	// WaitForModule is how long a plugin waits for its first fetch before its fail strategy acts; 30 s by default.
	WaitForModule time.Duration
	// HostEnv are the variables of proxies that plugins may read (valueFrom HOST), by name; a * at the end stands for any
	// rest. None: no variable.
	HostEnv []string
	// OnChange is called from the loop when something that Snapshot tells may have changed; it must not block.
	OnChange func()
	// OnStatus is called from the loop with everything whose status may be another than before; it must not block. Nil: nobody
	// writes status.
	OnStatus func(status.Dirty)
	// Remember is how long a proxy that left still counts among those that should run a plugin; 0: not at all.
	Remember time.Duration
	// Linger is how long a place stays at a waypoint when its Service's binding ends; 0: not at all.
	Linger time.Duration
	// OnGateways is called from the loop with the managed gateways and their first address whenever that changes; it must
	// not block.
	OnGateways func(map[types.NamespacedName]netip.Addr)
	Logger     *slog.Logger
	Now        func() time.Time
}

// Engine is described in the package's comment.
type Engine struct {
	opts Options
	log  *slog.Logger

	mu   sync.Mutex
	work []func()
	wake chan struct{}

	// The rest belongs to the loop.
	network  Network
	store    *store.Store
	tracker  *attach.Tracker
	saver    *saver
	plugins  map[model.Key]*pluginState
	owners   map[string]model.Key
	variants map[string]model.Key
	// kept are last good variants of a former run whose plugins were not seen yet.
	kept map[model.Key][]*build.Variant
	// waiting are the plugins whose first fetch is waited for.
	waiting  map[*pluginState]bool
	places   map[model.Scope]attach.PlaceResult
	gateways map[types.NamespacedName]*gatewayState
	// unenforced are the Istio policies of which was said that a gateway does not enforce them.
	unenforced map[types.NamespacedName][]model.Key
	// keptClasses are GatewayClasses that are in force though they were deleted.
	keptClasses map[string]bool
	// leaving are places at waypoints whose binding ended, with the end of their grace.
	leaving map[model.Scope]time.Time
	// dirty are the places whose slots are to be built again; changes, what goes to the cache at the end of a turn.
	dirty map[model.Scope]bool
	// alone are those of them that a narrow change of objects touched.
	alone        map[model.Scope]bool
	changes      map[types.NamespacedName]*change
	fleetChanged bool
	goodChanged  bool
	// savedGood is when the last good variants were saved last; savePause how long it is to the next time, nothing while
	// nobody runs the loop.
	savedGood time.Time
	savePause time.Duration
	// loaded tells that the first batch was taken in; changed, that OnChange is to be called at the end of the turn.
	loaded, changed bool
	problems        []LoadProblem
	fleetState      fleetState
	externals       externals
	status          statusMarks

	// acks is what sessions told since the loop looked last.
	acks ackInbox
}

// LoadProblem is a file that could not be read; what it held before stays in force.
type LoadProblem struct {
	File    string
	Line    int
	Message string
	Since   time.Time
}

// New makes an engine and loads the last good variants.
func New(o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.WaitForModule == 0 {
		o.WaitForModule = 30 * time.Second
	}
	kept, err := o.LastGood.Load()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		opts: o, log: o.Logger, wake: make(chan struct{}, 1),
		plugins: map[model.Key]*pluginState{}, owners: map[string]model.Key{},
		variants: map[string]model.Key{}, kept: kept,
		waiting: map[*pluginState]bool{}, places: map[model.Scope]attach.PlaceResult{},
		gateways: map[types.NamespacedName]*gatewayState{}, keptClasses: map[string]bool{}, unenforced: map[types.NamespacedName][]model.Key{}, leaving: map[model.Scope]time.Time{}, dirty: map[model.Scope]bool{}, alone: map[model.Scope]bool{},
		changes: map[types.NamespacedName]*change{}, fleetState: newFleetState(), externals: newExternals(), status: newStatusMarks(),
	}
	e.tracker = attach.NewTracker(o.Attach)
	e.store = e.tracker.Store()
	e.saver = newSaver(o.LastGood, o.Logger)
	o.Modules.Subscribe(func(owner string) { e.post(func() { e.moduleChanged(owner) }) })
	return e, nil
}

// Run works until ctx ends, and until what is to be durable is written.
func (e *Engine) Run(ctx context.Context) {
	e.savePause = saveEvery
	var saving sync.WaitGroup
	saving.Go(func() { e.saver.run(ctx) })
	defer func() {
		saving.Wait()
		if e.goodChanged {
			e.saveGood()
		}
		e.saver.write() // what the loop's last turn left after the saver had ended
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		e.turn()
		timer.Reset(min(e.nextExpiry(), e.saveDue(), max(e.fleetState.forgetAt.Sub(e.opts.Now()), time.Millisecond)))
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
	}
}

// Apply posts a batch of events, with the network that goes with them. moved are objects whose addresses changed though
// they themselves did not. It returns at once; done (may be nil) is called when the cache has everything. The first batch
// holds all objects that there are: last good variants of plugins that are not in it are forgotten.
func (e *Engine) Apply(events []store.Event, network Network, moved []store.Ref, done func()) {
	e.post(func() {
		e.network, e.changed = network, true
		e.applyApart(events, moved)
		if !e.loaded {
			e.loaded, e.goodChanged = true, true
			clear(e.kept)
		}
		if done != nil {
			e.flush()
			done()
		}
	})
}

// SetProblems replaces the list of load problems.
func (e *Engine) SetProblems(list []LoadProblem) {
	e.post(func() { e.problems, e.changed = list, true })
}

// ProxyRuns is for acks.Events.Runs.
func (e *Engine) ProxyRuns(variant string) {
	e.post(func() { e.proxyRuns(variant) })
}

// Do runs f in the loop and waits for it, or for the end of ctx.
func (e *Engine) Do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	e.post(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View is what the engine reads, for a Network that looks addresses up in the objects themselves. It belongs to the loop,
// from which alone a Network is called.
func (e *Engine) View() *store.Store { return e.store }

// IsWaypoint tells a Network whether a Gateway is a waypoint.
func (e *Engine) IsWaypoint(gateway types.NamespacedName) bool { return e.tracker.IsWaypoint(gateway) }

func (e *Engine) post(f func()) {
	e.mu.Lock()
	e.work = append(e.work, f)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// turn does the posted work and brings its result to the cache in one step per gateway.
func (e *Engine) turn() {
	e.mu.Lock()
	work := e.work
	e.work = nil
	e.mu.Unlock()
	for _, f := range work {
		f()
	}
	e.expirePending()
	e.endLeaving()
	e.flush()
	e.forgetProxies()
	e.tellStatus()
	if e.changed && e.opts.OnChange != nil {
		e.opts.OnChange()
	}
	e.changed = false
}

// flush builds dirty slots and applies all changes. Slots and the listeners that name them go together, so every slot
// named in a listener has its content at every moment.
func (e *Engine) flush() {
	for scope := range e.dirty {
		e.buildSlots(scope)
	}
	clear(e.dirty)
	e.applyChanges()
	if e.saveDue() == 0 {
		e.saveGood()
	}
	if e.fleetChanged {
		e.fleetChanged = false
		if e.opts.OnGateways != nil {
			list := make(map[types.NamespacedName]netip.Addr, len(e.gateways))
			for name, state := range e.gateways {
				list[name] = state.address
			}
			e.opts.OnGateways(list)
		}
	}
}

// change is a cache.Change that is filled bit by bit.
type change struct{ cache.Change }

func (e *Engine) change(gateway types.NamespacedName) *change {
	c := e.changes[gateway]
	if c == nil {
		c = &change{cache.Change{Resources: map[string]map[string]*cache.Resource{}, Slots: map[string]*build.Slot{}}}
		e.changes[gateway] = c
	}
	return c
}

func (c *change) set(url, name string, r *cache.Resource) {
	if c.Resources[url] == nil {
		c.Resources[url] = map[string]*cache.Resource{}
	}
	c.Resources[url][name] = r
}
