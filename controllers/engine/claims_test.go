package engine

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func TestAnAddressBelongsToOnePlaceAndTheNextTakesItOver(t *testing.T) {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	place := func(kind, namespace string) model.Scope {
		return model.Scope{Gateway: named2("way"), Service: model.ServiceKey{Kind: kind, Namespace: namespace, Name: "web"}, Port: 80}
	}
	thief, second, owner := place("ServiceEntry", "a"), place("ServiceEntry", "b"), place("Service", "shop")
	c := newClaims()
	vip, other := at("10.0.0.1:80"), at("10.0.0.2:80")

	check := func(what string, own []netip.AddrPort, others []model.Scope, wantOwn []netip.AddrPort, wantOthers ...model.Scope) {
		t.Helper()
		if !slices.Equal(own, wantOwn) || !slices.Equal(others, wantOthers) {
			t.Errorf("%s: own %v, others %v; want %v and %v", what, own, others, wantOwn, wantOthers)
		}
	}
	own, others := c.set(thief, []netip.AddrPort{vip, other})
	check("the first comer has all", own, others, []netip.AddrPort{vip, other})
	own, others = c.set(owner, []netip.AddrPort{vip})
	check("a Service takes its cluster IP from a ServiceEntry", own, others, []netip.AddrPort{vip}, thief)
	own, others = c.set(thief, []netip.AddrPort{vip, other})
	check("which keeps the rest, and changes nobody", own, others, []netip.AddrPort{other})
	own, others = c.set(second, []netip.AddrPort{other})
	check("of two ServiceEntries the first in order has it", own, others, nil)
	own, others = c.set(thief, nil)
	check("when it goes, the next one is to be built again", own, others, nil, second)
	own, _ = c.set(second, []netip.AddrPort{other})
	check("and has it", own, nil, []netip.AddrPort{other})
	own, others = c.set(owner, nil)
	check("an address that nobody else wants concerns nobody", own, others, nil)
	if _, left := c.by[vip]; left {
		t.Error("an address without a place is kept")
	}
}
