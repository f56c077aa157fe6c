package publish

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/util/workqueue"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// term is one time of leadership. Its queue never gives an object out twice at once, so two writes of one object never
// meet.
type term struct {
	*Publisher
	// ctx ends with the term, and with it whatever write is under way.
	ctx   context.Context
	queue workqueue.TypedRateLimitingInterface[item]
	pace  *pace
	wait  sync.WaitGroup

	mu   sync.Mutex
	bulk map[item]bool
	// written are the resourceVersions that were written over or found out of date; the cache has to be past them.
	written map[item]string
}

// batch is how many objects are asked for in one question to the engine, which interrupts its loop.
const batch = 64

func newTerm(ctx context.Context, p *Publisher) *term {
	return &term{
		Publisher: p, ctx: ctx,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](20*time.Millisecond, time.Minute)),
		pace: newPace(p.opts.Rate, p.opts.Burst), bulk: map[item]bool{}, written: map[item]string{},
	}
}

// verdict says what becomes of an object after it was looked at.
type verdict struct {
	retry bool
	after time.Duration
}

var (
	done  = verdict{}
	retry = verdict{retry: true} // with back-off
)

func after(d time.Duration) verdict { return verdict{after: d} }

// dispatch takes objects from the queue in batches, asks the engine about them, and hands them to the workers.
func (r *term) dispatch() {
	work := make(chan func())
	var workers sync.WaitGroup
	for range r.opts.Workers {
		workers.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	defer workers.Wait()
	defer close(work)
	for {
		items := r.next()
		if len(items) == 0 {
			return
		}
		answers, err := r.ask(items)
		for _, it := range items {
			work <- func() {
				defer r.queue.Done(it)
				if err != nil {
					r.finish(it, retry)
					return
				}
				r.finish(it, r.look(it, answers))
			}
		}
	}
}

// next waits for an object, and takes what else is there. It is empty when the term is over.
func (r *term) next() []item {
	var items []item
	for {
		it, over := r.queue.Get()
		if over {
			return items
		}
		if items = append(items, it); len(items) == batch || r.queue.Len() == 0 {
			return items
		}
	}
}

// answers are what the engine says about a batch.
type answers struct {
	plugins  map[model.Key]status.Input
	targets  map[status.TargetKey]status.TargetInput
	gateways map[types.NamespacedName]status.GatewayInput
	routes   map[types.NamespacedName]status.RouteInput
}

func (r *term) ask(items []item) (a answers, err error) {
	var keys []model.Key
	var gateways, statuses, routes []types.NamespacedName
	var services []model.ServiceKey
	for _, it := range items {
		if key, is := pluginKey(it); is {
			keys = append(keys, key)
			continue
		}
		switch it.kind {
		case kindGateway:
			gateways = append(gateways, it.NamespacedName)
		case kindGatewayStatus:
			statuses = append(statuses, it.NamespacedName)
		case kindRoute:
			routes = append(routes, it.NamespacedName)
		case kindClass:
		default:
			services = append(services, model.ServiceKey{Kind: it.kind, Namespace: it.Namespace, Name: it.Name})
		}
	}
	if len(keys) > 0 {
		a.plugins, err = r.opts.Engine.PluginInputs(r.ctx, keys)
	}
	if err == nil && len(gateways)+len(services) > 0 {
		a.targets, err = r.opts.Engine.TargetInputs(r.ctx, gateways, services)
	}
	if err == nil && len(statuses) > 0 {
		a.gateways, err = r.opts.Engine.GatewayInputs(r.ctx, statuses)
	}
	if err == nil && len(routes) > 0 {
		a.routes, err = r.opts.Engine.RouteInputs(r.ctx, routes)
	}
	return a, err
}

// look brings one object to what it should say.
func (r *term) look(it item, a answers) verdict {
	if key, is := pluginKey(it); is {
		in, known := a.plugins[key]
		return r.plugin(it, in, known)
	}
	switch it.kind {
	case kindGatewayStatus:
		in, known := a.gateways[it.NamespacedName]
		return r.gateway(it, in, known)
	case kindRoute:
		in, known := a.routes[it.NamespacedName]
		return r.route(it, in, known)
	case kindClass:
		return r.class(it)
	}
	return r.target(it, a.targets[status.TargetKey{Kind: it.kind, NamespacedName: it.NamespacedName}])
}

func (r *term) finish(it item, v verdict) {
	switch {
	case v.retry:
		r.queue.AddRateLimited(it)
		return
	case v.after > 0:
		r.queue.AddAfter(it, v.after)
	default:
		r.pace.give(it, r.opts.Now())
		r.setBulk(it, false)
	}
	r.queue.Forget(it)
}

func (r *term) setBulk(it item, bulk bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case bulk:
		r.bulk[it] = true
	case r.bulk[it]:
		delete(r.bulk, it)
		r.pace.give(it, r.opts.Now()) // somebody changed it: it need not wait for its place among all
	}
}

// mayWrite is zero when there is room for a write now.
func (r *term) mayWrite(it item) time.Duration {
	r.mu.Lock()
	bulk := r.bulk[it]
	r.mu.Unlock()
	return r.pace.ask(it, bulk, r.opts.Now())
}

// outdate says that the cache is not to be believed for an object until it is past a version.
func (r *term) outdate(it item, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written[it] = version
}

// isCurrent tells whether the cache is past what was written. Versions that cannot be compared count as past: then the
// API server's answer decides.
func (r *term) isCurrent(it item, cached string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	version, has := r.written[it]
	if !has {
		return true
	}
	if order, err := resourceversion.CompareResourceVersion(cached, version); err == nil && order <= 0 {
		return false
	}
	delete(r.written, it)
	return true
}

// forget drops what is remembered of an object that is gone.
func (r *term) forget(it item) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, it)
	return done
}
