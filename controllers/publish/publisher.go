package publish

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// Publisher is described in the package's comment.
type Publisher struct {
	opts     Options
	settle   *settle
	counters Counters
}

// New makes a Publisher. It does nothing until Run.
func New(o Options) *Publisher {
	o = o.withDefaults()
	return &Publisher{opts: o, settle: newSettle(o.Settle, o.MaxDelay)}
}

// Counters are live; they may be read at any time.
func (p *Publisher) Counters() *Counters { return &p.counters }

// Dirty marks objects whose status may have changed. It may be called from any goroutine, also while this replica does not
// lead: the marks are kept, one per object.
func (p *Publisher) Dirty(d status.Dirty) {
	items := make([]item, 0, len(d.Plugins)+len(d.Gateways)+len(d.Services))
	for _, k := range d.Plugins {
		items = append(items, item{k.Kind, k.NamespacedName()})
	}
	for _, k := range d.Gateways {
		items = append(items, item{kindGateway, k})
		if p.opts.Provisions != nil {
			items = append(items, item{kindGatewayStatus, k})
		}
	}
	if p.opts.Provisions != nil {
		for _, k := range d.Routes {
			items = append(items, item{kindRoute, k})
		}
	}
	for _, k := range d.Services {
		items = append(items, item{k.Kind, client.ObjectKey{Namespace: k.Namespace, Name: k.Name}})
	}
	p.settle.add(p.opts.Now(), false, items...)
}

// DirtyClass marks a GatewayClass.
func (p *Publisher) DirtyClass(name string) {
	p.settle.add(p.opts.Now(), false, item{kindClass, client.ObjectKey{Name: name}})
}

// Run writes until ctx ends; call it while this replica leads. It looks at every object once, because nobody wrote while
// there was no leader.
func (p *Publisher) Run(ctx context.Context) error {
	r := newTerm(ctx, p)
	r.wait.Go(r.markAll)
	r.wait.Go(r.dispatch)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			r.queue.ShutDown()
			r.wait.Wait()
			return nil
		case <-p.settle.wake:
		case <-timer.C:
		}
		due, next := p.settle.take(p.opts.Now())
		for _, d := range due {
			r.setBulk(d.item, d.bulk || isNumerous(d.kind))
			r.queue.Add(d.item)
		}
		timer.Reset(next)
	}
}
