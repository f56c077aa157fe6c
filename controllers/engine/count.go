package engine

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// fleet is the proxies of every gateway at one moment, read from the registry and the peers once per gateway.
type fleet struct {
	e    *Engine
	seen map[types.NamespacedName]*crew
	// ranks are the places of variants in the order of a scope's plugins.
	ranks map[model.Scope]map[string]int
}

// crew is the proxies of one gateway: those that are connected, here or at a peer, and the names of those that should be.
type crew struct {
	proxies []acks.Proxy
	missing []string
}

// spot is a slot in which a plugin should be, and the order there.
type spot struct {
	slot string
	rank map[string]int
}

func (e *Engine) fleet() *fleet {
	return &fleet{e: e, seen: map[types.NamespacedName]*crew{}, ranks: map[model.Scope]map[string]int{}}
}

// rank tells of every variant of a scope's plugins, by its hash, which of them come before it.
func (f *fleet) rank(scope model.Scope) map[string]int {
	rank := f.ranks[scope]
	if rank == nil {
		rank = map[string]int{}
		n := 0
		each(f.e.places[scope].Plugins, func(p *model.Plugin) {
			n++
			s := f.e.plugins[p.Key]
			if s == nil {
				return
			}
			for _, v := range s.good {
				rank[v.Hash] = n
			}
			if s.wanted != nil {
				rank[s.wanted.Hash] = n
			}
		})
		f.ranks[scope] = rank
	}
	return rank
}

func (f *fleet) of(gateway types.NamespacedName) *crew {
	c := f.seen[gateway]
	if c == nil {
		c = &crew{proxies: f.e.connected(gateway)}
		c.missing = f.e.missing(gateway, c.proxies)
		f.seen[gateway] = c
	}
	return c
}

// count tells on how many proxies a plugin runs in all of the given scopes.
func (e *Engine) count(s *pluginState, scopes []model.Scope, f *fleet) status.Proxies {
	var out status.Proxies
	spots := map[types.NamespacedName][]spot{}
	for _, scope := range scopes {
		if !e.served(scope) {
			out.Notes = append(out.Notes, fmt.Sprintf("port %d of Gateway %s is not served", scope.Port, scope.Gateway))
			continue
		}
		if name := e.slotOf(s, scope); name != "" {
			spots[scope.Gateway] = append(spots[scope.Gateway], spot{name, f.rank(scope)})
		}
	}
	var missing []string
	notes := map[string]int{}
	for gateway, list := range spots {
		crew := f.of(gateway)
		out.Total += len(crew.missing)
		missing = append(missing, crew.missing...)
		for i := range crew.proxies {
			p := &crew.proxies[i]
			out.Total++
			if s.wanted != nil && runsIn(p, list, s.wanted.Hash) {
				out.Running++
				continue
			}
			if s.wanted != nil {
				if r, refused := p.Refused[s.wanted.Hash]; refused {
					out.Refusals = append(out.Refusals, status.Refusal{Proxy: p.ID, Error: r.Text})
				}
			}
			if note := e.instead(s, p, list); note != "" {
				notes[note]++
			}
		}
	}
	for note, n := range notes {
		out.Notes = append(out.Notes, fmt.Sprintf("%s on %d", note, n))
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		out.Notes = append(out.Notes, "not connected: "+few(missing))
	}
	sort.Strings(out.Notes)
	sort.Slice(out.Refusals, func(i, j int) bool { return out.Refusals[i].Proxy < out.Refusals[j].Proxy })
	return out
}

// few names the first ones and counts the rest: a message has a bound.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// served tells whether a place has a listener. At a gateway that we program it may have none: a protocol that is not
// supported, a missing certificate, a Service without an address.
func (e *Engine) served(scope model.Scope) bool {
	state := e.gateways[scope.Gateway]
	if state == nil {
		return true // somebody else programs it; its proxies tell
	}
	if state.waypoint {
		return len(state.units[scope]) > 0
	}
	return slices.ContainsFunc(state.routes.Ports, func(p routes.Port) bool { return p.Port == scope.Port })
}

// instead says what stands in the plugin's place on a proxy that does not run its current generation.
func (e *Engine) instead(s *pluginState, p *acks.Proxy, spots []spot) string {
	for _, v := range s.good {
		if s.wanted != nil && v.Hash == s.wanted.Hash {
			continue // it runs, and is not where it should be yet
		}
		if runsIn(p, spots, v.Hash) {
			return "last good configuration (generation " + fmt.Sprint(v.Generation) + ") in force"
		}
	}
	for _, at := range spots {
		for _, denied := range p.Slots[at.slot].Denied {
			if denied == s.plugin.String() {
				return "fail strategy " + string(s.plugin.FailStrategy) + " in force"
			}
		}
		// The proxy has all that it shall have, and the plugin is not in it.
		slot := p.Slots[at.slot]
		if s.plugin.FailStrategy == model.FailOpen && s.pendingUntil.IsZero() && slot.Synced && !slices.ContainsFunc(slot.Running, s.mayBe(at.rank)) {
			return "left out by its fail strategy FAIL_OPEN"
		}
	}
	return ""
}

// mayBe tells of a variant in a slot whether it is one of the plugin's, or one that nobody knows any more and may have been.
func (s *pluginState) mayBe(rank map[string]int) func(hash string) bool {
	return func(hash string) bool {
		_, known := rank[hash]
		return !known || s.wanted != nil && s.wanted.Hash == hash ||
			slices.ContainsFunc(s.good, func(v *build.Variant) bool { return v.Hash == hash })
	}
}

// runsIn tells whether a proxy runs a variant in all of the slots, in its place among the others: an edit of the priority
// alone changes no variant.
func runsIn(p *acks.Proxy, spots []spot, variant string) bool {
	for _, at := range spots {
		if !inPlace(p.Slots[at.slot].Running, at.rank, variant) {
			return false
		}
	}
	return len(spots) > 0
}

func inPlace(running []string, rank map[string]int, variant string) bool {
	at := slices.Index(running, variant)
	for i, other := range running {
		if r, known := rank[other]; known && (i < at && r > rank[variant] || i > at && r < rank[variant]) {
			return false
		}
	}
	return at >= 0
}

// slotOf is the slot of a place in which the plugin stands, "" if it does not.
func (e *Engine) slotOf(s *pluginState, scope model.Scope) string {
	place, ok := e.places[scope]
	if !ok {
		return ""
	}
	if s.plugin.Type != model.TypeNetwork {
		return names.Slot(scope, s.plugin.Phase)
	}
	for i, p := range networkOrder(place.Plugins) {
		if p.Key == s.plugin.Key && i < model.NetworkSlots {
			return names.NetworkSlot(scope, i)
		}
	}
	return ""
}
