package provisioner

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// Provisioner is described in the package's comment.
type Provisioner struct {
	opts Options
	log  *slog.Logger

	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[item] // nil while this replica does not lead
	states  map[types.NamespacedName]status.Provision
	classes map[string]status.ClassInput
	fights  map[string]fight
	// failing are the Gateways of which something could not be applied, since when.
	failing map[item]time.Time
	maps    *configMaps
}

// item is a Gateway, or with an empty namespace a GatewayClass.
type item struct{ types.NamespacedName }

// New makes a Provisioner. It does nothing until Run.
func New(o Options) *Provisioner {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Provisioner{opts: o, log: o.Logger}
}

// Touch says that a Gateway or something of its may have changed. It may be called from any goroutine.
func (p *Provisioner) Touch(gateway types.NamespacedName) { p.add(item{gateway}) }

// TouchClass says that a GatewayClass changed, and so do its Gateways.
func (p *Provisioner) TouchClass(name string) {
	p.add(item{types.NamespacedName{Name: name}})
}

func (p *Provisioner) add(it item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue != nil { // otherwise nobody leads here, and a new leader looks at everything
		p.queue.Add(it)
	}
}

// State tells what became of a Gateway's objects; false: it was not looked at yet.
func (p *Provisioner) State(gateway types.NamespacedName) (status.Provision, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.states[gateway]
	return s, known
}

// ClassState tells what is wrong with the parameters of a class; false: it was not looked at yet.
func (p *Provisioner) ClassState(name string) (status.ClassInput, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.classes[name]
	return s, known
}

// Run works until ctx ends; call it while this replica leads, with a cache that runs.
func (p *Provisioner) Run(ctx context.Context) error {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, time.Minute))
	p.mu.Lock()
	p.begin()
	p.queue, p.maps = queue, newMaps(ctx, p.opts.Core, p.add)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		if p.queue == queue { // otherwise the next term has begun
			p.queue = nil
		}
		p.mu.Unlock()
	}()
	remove := p.watch(ctx)
	defer remove()
	if ctx.Err() != nil {
		queue.ShutDown()
		return nil
	}
	p.touchAll(ctx)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for {
				it, over := queue.Get()
				if over {
					return
				}
				p.handle(ctx, queue, it)
			}
		})
	}
	p.followFacts(ctx)
	queue.ShutDown()
	workers.Wait()
	return nil
}

// begin forgets what another term knew.
func (p *Provisioner) begin() {
	p.states, p.classes = map[types.NamespacedName]status.Provision{}, map[string]status.ClassInput{}
	p.fights, p.failing = map[string]fight{}, map[item]time.Time{}
}

// handle looks at one item, and again later when that went wrong.
func (p *Provisioner) handle(ctx context.Context, queue workqueue.TypedRateLimitingInterface[item], it item) {
	defer queue.Done(it)
	again, err := time.Duration(0), error(nil)
	if it.Namespace == "" {
		err = p.class(ctx, it.Name)
	} else {
		again, err = p.gateway(ctx, it)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.log.Warn("a Gateway's objects are not what they should be; trying again", "gateway", it.String(), "error", err)
		queue.AddRateLimited(it)
		return
	case again > 0:
		queue.AddAfter(it, again)
	}
	queue.Forget(it)
	p.mu.Lock()
	delete(p.failing, it)
	p.mu.Unlock()
}

// followFacts looks at everything again when the installation's facts changed.
func (p *Provisioner) followFacts(ctx context.Context) {
	known := p.opts.Facts()
	tick := time.NewTicker(factsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if facts := p.opts.Facts(); !reflect.DeepEqual(facts, known) {
				known = facts
				p.touchAll(ctx)
			}
		}
	}
}

// touchAll marks every class, and so every Gateway of ours, and every other Gateway, which may have leftovers.
func (p *Provisioner) touchAll(ctx context.Context) {
	var classes gatewayv1.GatewayClassList
	if err := p.opts.Cache.List(ctx, &classes); err == nil { // without the CRD, there are none
		for i := range classes.Items {
			p.TouchClass(classes.Items[i].Name)
		}
	}
	p.touchGateways(ctx, func(*gatewayv1.Gateway) bool { return true })
}

func (p *Provisioner) touchGateways(ctx context.Context, which func(*gatewayv1.Gateway) bool) {
	var list gatewayv1.GatewayList
	if err := p.opts.Cache.List(ctx, &list); err != nil {
		return // without the CRD, there are none
	}
	for i := range list.Items {
		if gw := &list.Items[i]; which(gw) {
			p.Touch(types.NamespacedName{Namespace: gw.Namespace, Name: gw.Name})
		}
	}
}
