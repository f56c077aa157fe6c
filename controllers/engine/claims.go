package engine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// claims are the addresses that the places of one waypoint listen on. Envoy refuses a second listener on an address, and
// anybody can write one that is not theirs into a ServiceEntry, so each address belongs to one place: that of a Service,
// which got its cluster IP from the API server, before that of a ServiceEntry; then the first in order.
type claims struct {
	of map[model.Scope][]netip.AddrPort
	by map[netip.AddrPort][]model.Scope // the owner first
}

func newClaims() claims {
	return claims{of: map[model.Scope][]netip.AddrPort{}, by: map[netip.AddrPort][]model.Scope{}}
}

func compareClaims(a, b model.Scope) int {
	entry := func(s model.Scope) int {
		if s.Service.Kind == string(store.KindServiceEntry) {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(entry(a), entry(b)), attach.CompareScopes(a, b))
}

// set replaces what a place claims. It gives what of that is the place's own, and the other places that won or lost an
// address by the change.
func (c *claims) set(scope model.Scope, wanted []netip.AddrPort) (own []netip.AddrPort, others []model.Scope) {
	owner := func(a netip.AddrPort) (s model.Scope) {
		if list := c.by[a]; len(list) > 0 {
			s = list[0]
		}
		return s
	}
	// moved notes that an address has another owner now.
	moved := func(a netip.AddrPort, was model.Scope) {
		for _, s := range []model.Scope{was, owner(a)} {
			if s != scope && s != (model.Scope{}) && !slices.Contains(others, s) {
				others = append(others, s)
			}
		}
	}
	for _, a := range c.of[scope] {
		if slices.Contains(wanted, a) {
			continue
		}
		was := owner(a)
		c.by[a] = slices.DeleteFunc(c.by[a], func(s model.Scope) bool { return s == scope })
		if len(c.by[a]) == 0 {
			delete(c.by, a)
		}
		if was != owner(a) {
			moved(a, was)
		}
	}
	for _, a := range wanted {
		if slices.Contains(c.of[scope], a) {
			continue
		}
		was := owner(a)
		c.by[a] = append(c.by[a], scope)
		slices.SortFunc(c.by[a], compareClaims)
		if was != owner(a) {
			moved(a, was)
		}
	}
	c.of[scope] = wanted
	if len(wanted) == 0 {
		delete(c.of, scope)
	}
	for _, a := range wanted {
		if owner(a) == scope {
			own = append(own, a)
		}
	}
	return own, others
}
