// Package cache holds what every gateway's proxies should have: resources by type and name, and wanted slots by name.
// It is the one place between the builders and the streams, and equal content stops here.
//
// go-control-plane's caches are not used: they push a resource the moment it is set and know nothing of what one proxy
// already fetched, refused or is warming, which is what decides when a slot may be sent (package server).
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"sync"

	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/build"
)

// Resource is one xDS resource of a managed proxy other than a slot.
type Resource struct {
	// Version is a hash of the body.
	Version string
	Body    *anypb.Any
}

// NewResource wraps a marshalled message and computes its version.
func NewResource(body *anypb.Any) *Resource {
	sum := sha256.Sum256(body.Value)
	return &Resource{Version: hex.EncodeToString(sum[:12]), Body: body}
}

// Change is one atomic change of a gateway's content. A nil value removes.
type Change struct {
	// Resources by type URL and name.
	Resources map[string]map[string]*Resource
	// Slots by name.
	Slots map[string]*build.Slot
}

// Update tells a watcher what differs since the last one.
type Update struct {
	// Types are the type URLs with changed resources, sorted.
	Types []string
	// Slots are the names of the changed slots, sorted. What changed alone goes before what changed in bulk, so its
	// length is the width of the change.
	Slots []string
}

// Watcher is a stream that serves one gateway. Notify must not block and must not call back into the group.
type Watcher interface {
	Notify(Update)
}

// Hub holds all gateways.
type Hub struct {
	mu     sync.Mutex
	groups map[types.NamespacedName]*Group
}

// NewHub makes an empty hub.
func NewHub() *Hub { return &Hub{groups: map[types.NamespacedName]*Group{}} }

// Group is the content of a gateway; an unknown gateway gets an empty one, so that a proxy may connect before it.
func (h *Hub) Group(gateway types.NamespacedName) *Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.groups[gateway]
	if g == nil {
		g = &Group{
			Gateway:   gateway,
			resources: map[string]map[string]*Resource{},
			slots:     map[string]*build.Slot{},
			watchers:  map[Watcher]struct{}{},
		}
		h.groups[gateway] = g
	}
	return g
}

// Group is everything that the proxies of one gateway should have.
type Group struct {
	Gateway types.NamespacedName

	mu        sync.Mutex
	resources map[string]map[string]*Resource
	slots     map[string]*build.Slot
	watchers  map[Watcher]struct{}
}

// Apply changes the content and tells the watchers, unless everything is equal to what is there.
func (g *Group) Apply(c Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var u Update
	for url, byName := range c.Resources {
		if g.applyType(url, byName) {
			u.Types = append(u.Types, url)
		}
	}
	for name, slot := range c.Slots {
		if g.slots[name].Equal(slot) {
			continue
		}
		if slot == nil {
			delete(g.slots, name)
		} else {
			g.slots[name] = slot
		}
		u.Slots = append(u.Slots, name)
	}
	if len(u.Types) == 0 && len(u.Slots) == 0 {
		return
	}
	sort.Strings(u.Types)
	sort.Strings(u.Slots)
	for w := range g.watchers {
		w.Notify(u)
	}
}

func (g *Group) applyType(url string, byName map[string]*Resource) bool {
	have := g.resources[url]
	if have == nil {
		have = map[string]*Resource{}
		g.resources[url] = have
	}
	changed := false
	for name, r := range byName {
		old := have[name]
		switch {
		case r == nil && old == nil, r != nil && old != nil && r.Version == old.Version:
			continue
		case r == nil:
			delete(have, name)
		default:
			have[name] = r
		}
		changed = true
	}
	return changed
}

// Watch registers a watcher; the returned function ends it.
func (g *Group) Watch(w Watcher) (stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watchers[w] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.watchers, w)
	}
}

// Slot is the wanted content of a slot, nil when the gateway has none of that name.
func (g *Group) Slot(name string) *build.Slot {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slots[name]
}

// Has tells whether the gateway has a resource of one type.
func (g *Group) Has(url, name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.resources[url][name] != nil
}

// Resources is a copy of the resources of one type.
func (g *Group) Resources(url string) map[string]*Resource {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string]*Resource, len(g.resources[url]))
	for n, r := range g.resources[url] {
		out[n] = r
	}
	return out
}

// SlotNames lists the slots of the gateway, sorted.
func (g *Group) SlotNames() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	names := make([]string, 0, len(g.slots))
	for n := range g.slots {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
