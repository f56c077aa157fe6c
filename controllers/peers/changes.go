package peers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// Changes hands the registry's notifications to all open streams: Notify is for acks.Events.Changed. The zero value is ready.
type Changes struct {
	mu   sync.Mutex
	subs map[*subscription]struct{}
}

// subscription gathers the gateways whose proxies changed since take was called last.
type subscription struct {
	changes  *Changes
	gateways map[types.NamespacedName]struct{}
	wake     chan struct{}
}

// Notify says that proxies of a gateway changed. It does not block, and costs next to nothing while nobody listens.
func (c *Changes) Notify(change acks.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		s.gateways[change.Gateway] = struct{}{}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (c *Changes) subscribe() *subscription {
	s := &subscription{changes: c, gateways: map[types.NamespacedName]struct{}{}, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs == nil {
		c.subs = map[*subscription]struct{}{}
	}
	c.subs[s] = struct{}{}
	return s
}

func (s *subscription) take() map[types.NamespacedName]struct{} {
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	out := s.gateways
	s.gateways = map[types.NamespacedName]struct{}{}
	return out
}

func (s *subscription) cancel() {
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	delete(s.changes.subs, s)
}
