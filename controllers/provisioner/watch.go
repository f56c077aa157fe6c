package provisioner

import (
	"context"
	"fmt"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Times of waiting for the API server.
const (
	// firstWatch and lastWatch bound how long to wait before a kind is asked for again that could not be watched.
	firstWatch = 500 * time.Millisecond
	lastWatch  = 30 * time.Second
	// slowWatch is how long the first list of a kind may take before it is said which one is waited for.
	slowWatch = 5 * time.Second
)

// watch has every change of an owned object touch its Gateway, and waits until the cache knows them all, or ctx ends. An API
// server that does not answer is asked again: nobody else would begin anew before this replica loses the leadership.
func (p *Provisioner) watch(ctx context.Context) (remove func()) {
	var removes []func()
	remove = func() {
		for _, f := range removes {
			f()
		}
	}
	if p.opts.Off {
		return remove
	}
	for _, o := range owned() {
		for wait := firstWatch; ctx.Err() == nil; wait = min(2*wait, lastWatch) {
			end, err := p.watchKind(ctx, o)
			if err == nil {
				removes = append(removes, end)
				break
			}
			p.log.Warn("a kind that is provisioned cannot be watched, so Gateways get no proxies and no status; trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
	return remove
}

// watchKind watches one kind, and waits until the cache knows it.
func (p *Provisioner) watchKind(ctx context.Context, o client.Object) (remove func(), err error) {
	informer, err := p.opts.Cache.GetInformer(ctx, o, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", o, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { p.touchOwner(o) },
		UpdateFunc: func(before, after any) {
			if onlyStatus(before, after) {
				return
			}
			p.touchOwner(before)
			p.touchOwner(after)
		},
		DeleteFunc: func(o any) {
			if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
				o = tombstone.Obj
			}
			p.touchOwner(o)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", o, err)
	}
	slow := time.AfterFunc(slowWatch, func() {
		p.log.Warn("the API server did not list a kind that is provisioned yet; Gateways get no proxies and no status before", "kind", fmt.Sprintf("%T", o))
	})
	defer slow.Stop()
	toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) // false: the term is over
	return func() { _ = informer.RemoveEventHandler(registration) }, nil
}
