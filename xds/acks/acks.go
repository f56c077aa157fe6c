// Package acks knows the connected proxies: what each acknowledged, runs and refused. Streams write it, status reads it.
package acks

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Refusal is a proxy's NACK.
type Refusal struct {
	// Text is Envoy's own message.
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Slot is what one proxy does with one slot.
type Slot struct {
	// Version is the last acknowledged version, "" while there is none.
	Version string `json:"version,omitempty"`
	// Running are the hashes of the variants in it (build.Variant.Hash).
	Running []string `json:"running,omitempty"`
	// Denied are the plugins ("Kind ns/name") in whose place their fail strategy answers with an error.
	Denied []string `json:"denied,omitempty"`
	// Synced tells that the proxy has what it should have, given what it can run.
	Synced bool `json:"synced,omitempty"`
	// Refusal is the last NACK since the last ACK.
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Proxy is one connected Envoy. Values handed out are copies.
type Proxy struct {
	// Number tells entries of one registry apart: two Envoys may come with the same ID, and one that comes back is a new
	// entry. It starts at 1 and is never used again.
	Number uint64 `json:"number"`
	ID     string `json:"id"`
	// Part tells that this is one of several streams of an Envoy, each for one slot.
	Part    bool                 `json:"part,omitempty"`
	Gateway types.NamespacedName `json:"gateway"`
	// Envoy is the proxy's version, such as "1.40.0".
	Envoy     string          `json:"envoy,omitempty"`
	Connected time.Time       `json:"connected"`
	Slots     map[string]Slot `json:"slots,omitempty"`
	// Refused holds, by variant hash, why this proxy cannot run a variant.
	Refused map[string]Refusal `json:"refused,omitempty"`
	// RefusedTypes holds, by type URL, why this proxy refused the last response of a type other than slots.
	RefusedTypes map[string]Refusal `json:"refusedTypes,omitempty"`
	// TakesListeners tells that the proxy takes its gateway's clusters and listeners; an external one asks for slots alone.
	TakesListeners bool `json:"takesListeners,omitempty"`
	// Listeners holds, by name, the version in which the proxy has a listener of its gateway's own; those of Services at a
	// waypoint are left out.
	Listeners map[string]string `json:"listeners,omitempty"`
	// LastRefusal is the latest NACK of any type.
	LastRefusal *Refusal `json:"lastRefusal,omitempty"`
}

// Runs tells whether the proxy acknowledged a slot with the variant in it.
func (p *Proxy) Runs(slot, variant string) bool {
	for _, h := range p.Slots[slot].Running {
		if h == variant {
			return true
		}
	}
	return false
}

// Events tell what happens to proxies. Functions may be nil; they are called without locks held and must not block.
type Events struct {
	// Changed is called after every change of a proxy.
	Changed func(Change)
	// Runs is called with a variant that no proxy ran before and one runs now.
	Runs func(variant string)
}

// Change tells what changed at a proxy of a gateway: one slot, what it says of one variant, or neither of the two (it came,
// it went, or it refused another resource).
type Change struct {
	Gateway types.NamespacedName
	Slot    string
	Variant string
}

// Registry holds the connected proxies of this controller.
type Registry struct {
	events Events

	mu      sync.Mutex
	proxies map[types.NamespacedName]map[*Proxy]struct{}
	// connects is the number of the latest proxy.
	connects uint64
	// running counts the slots that run a variant.
	running map[string]int
}

// NewRegistry makes an empty registry.
func NewRegistry(events Events) *Registry {
	return &Registry{proxies: map[types.NamespacedName]map[*Proxy]struct{}{}, running: map[string]int{}, events: events}
}

// Connect adds a proxy; the handle stays valid until Disconnect.
func (r *Registry) Connect(id string, gateway types.NamespacedName, envoy string, now time.Time) *Handle {
	return r.connect(id, gateway, envoy, now, false)
}

func (r *Registry) connect(id string, gateway types.NamespacedName, envoy string, now time.Time, part bool) *Handle {
	p := &Proxy{
		ID: id, Gateway: gateway, Part: part, Envoy: envoy, Connected: now,
		Slots: map[string]Slot{}, Refused: map[string]Refusal{}, RefusedTypes: map[string]Refusal{}, Listeners: map[string]string{},
	}
	h := &Handle{registry: r, proxy: p}
	h.change(Change{}, func(*Proxy) {
		r.connects++
		p.Number = r.connects
		if r.proxies[gateway] == nil {
			r.proxies[gateway] = map[*Proxy]struct{}{}
		}
		r.proxies[gateway][p] = struct{}{}
	})
	return h
}

// ConnectPart adds one of several streams of a proxy, each for one slot. Merge makes one proxy of them.
func (r *Registry) ConnectPart(id string, gateway types.NamespacedName, envoy string, now time.Time) *Handle {
	return r.connect(id, gateway, envoy, now, true)
}

// Handle is the only way to change a proxy's entry: one stream, one writer.
type Handle struct {
	registry *Registry
	proxy    *Proxy
}

// Disconnect removes the proxy.
func (h *Handle) Disconnect() {
	h.change(Change{}, func(p *Proxy) {
		for _, s := range p.Slots {
			h.registry.count(s.Running, -1)
		}
		if delete(h.registry.proxies[p.Gateway], p); len(h.registry.proxies[p.Gateway]) == 0 {
			delete(h.registry.proxies, p.Gateway)
		}
	})
}

// SetSlot records what the proxy does with a slot.
func (h *Handle) SetSlot(name string, s Slot) {
	var started []string
	h.change(Change{Slot: name}, func(p *Proxy) {
		old := p.Slots[name].Running
		p.Slots[name] = s
		started = h.registry.count(s.Running, 1)
		h.registry.count(old, -1)
	})
	if h.registry.events.Runs != nil {
		for _, v := range started {
			h.registry.events.Runs(v)
		}
	}
}

// Running tells whether some connected proxy runs a variant.
func (r *Registry) Running(variant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[variant] > 0
}

// DropSlot forgets a slot that the proxy no longer asks for.
func (h *Handle) DropSlot(name string) {
	h.change(Change{Slot: name}, func(p *Proxy) {
		h.registry.count(p.Slots[name].Running, -1)
		delete(p.Slots, name)
	})
}

// Refuse records why the proxy cannot run a variant; an empty text takes that back.
func (h *Handle) Refuse(variant, text string, now time.Time) {
	if text == "" && !h.stands(h.proxy.Refused, variant) {
		return
	}
	h.change(Change{Variant: variant}, func(p *Proxy) {
		if text == "" {
			delete(p.Refused, variant)
			return
		}
		p.Refused[variant] = Refusal{Text: text, At: now}
		p.LastRefusal = &Refusal{Text: text, At: now}
	})
}

// RefuseType records that the proxy refused the last response of a type; an empty text, that it took it.
func (h *Handle) RefuseType(url, text string, now time.Time) {
	if text == "" && !h.stands(h.proxy.RefusedTypes, url) {
		return
	}
	h.change(Change{}, func(p *Proxy) {
		if text == "" {
			delete(p.RefusedTypes, url)
			return
		}
		p.RefusedTypes[url] = Refusal{Text: text, At: now}
		p.LastRefusal = &Refusal{Text: text, At: now}
	})
}

// stands tells whether there is a refusal to take back. Almost every answer of a proxy takes back what is not there, and
// nobody is to be told of that.
func (h *Handle) stands(refusals map[string]Refusal, of string) bool {
	h.registry.mu.Lock()
	defer h.registry.mu.Unlock()
	_, stands := refusals[of]
	return stands
}

// SetTakesListeners records that the proxy asked for more than slots.
func (h *Handle) SetTakesListeners() { h.change(Change{}, func(p *Proxy) { p.TakesListeners = true }) }

// SetListeners records the versions in which the proxy has listeners from now on; "" means that it has one no more.
func (h *Handle) SetListeners(versions map[string]string) {
	if len(versions) == 0 {
		return
	}
	h.change(Change{}, func(p *Proxy) {
		for name, version := range versions {
			if version == "" {
				delete(p.Listeners, name)
			} else {
				p.Listeners[name] = version
			}
		}
	})
}

// Nack records a refusal that belongs to no variant.
func (h *Handle) Nack(text string, now time.Time) {
	h.change(Change{}, func(p *Proxy) { p.LastRefusal = &Refusal{Text: text, At: now} })
}

func (h *Handle) change(what Change, f func(*Proxy)) {
	h.registry.mu.Lock()
	f(h.proxy)
	h.registry.mu.Unlock()
	if h.registry.events.Changed != nil {
		what.Gateway = h.proxy.Gateway
		h.registry.events.Changed(what)
	}
}

// count adds to the variants' counters and lists those that were at zero.
func (r *Registry) count(variants []string, by int) (started []string) {
	for _, v := range variants {
		if r.running[v] == 0 && by > 0 {
			started = append(started, v)
		}
		if r.running[v] += by; r.running[v] <= 0 {
			delete(r.running, v)
		}
	}
	return started
}

// Gateways lists the gateways with connected proxies, in no order.
func (r *Registry) Gateways() []types.NamespacedName {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.proxies))
}

// IDs lists the ids of the connected proxies of a gateway, in no order.
func (r *Registry) IDs(gateway types.NamespacedName) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.proxies[gateway]))
	for p := range r.proxies[gateway] {
		out = append(out, p.ID)
	}
	return out
}

// Proxies lists the connected proxies of a gateway, sorted by id.
func (r *Registry) Proxies(gateway types.NamespacedName) []Proxy {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Proxy
	for p := range r.proxies[gateway] {
		c := *p
		c.Slots, c.Refused, c.RefusedTypes = maps.Clone(p.Slots), maps.Clone(p.Refused), maps.Clone(p.RefusedTypes)
		c.Listeners = maps.Clone(p.Listeners)
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// All lists the connected proxies of all gateways, sorted by gateway and id.
func (r *Registry) All() []Proxy {
	gateways := r.Gateways()
	slices.SortFunc(gateways, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	var out []Proxy
	for _, g := range gateways {
		out = append(out, r.Proxies(g)...)
	}
	return out
}
