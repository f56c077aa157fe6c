package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
	"github.com/wasmpoint/wasmpoint/xds/names"
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

func TestAnAddressLeadsToTheServiceThatHasItWhoeverHadItBefore(t *testing.T) {
	network := fakeNetwork{}
	ref := func(name string) store.Ref { return store.Ref{Kind: store.KindService, NamespacedName: named2(name)} }
	web := func(name string) any {
		return service("default", name, map[string]string{"istio.io/use-waypoint": "way"}, port("http", 80))
	}
	way := gateway("default", "way", extv1.ClassWaypoint, listener("mesh", 15008, "HBONE"))
	all := []string{"a", "b", "c"}
	for _, name := range all {
		network[ref(name)] = shared
	}
	address := names.Address(netip.AddrPortFrom(network.Service(model.ServiceKey{Kind: "Service", Namespace: "default", Name: "a"})[0], 80))
	w := newWorldWith(t, newFakeModules(), &memory{}, network)
	w.apply(way)
	there := map[string]bool{}
	for _, turn := range []string{"+b", "+a", "+c", "-a", "+a", "b elsewhere", "a elsewhere", "b here", "a here", "-c", "b elsewhere", "+c", "a elsewhere", "-a", "c elsewhere", "b here", "-b"} {
		name := strings.Trim(strings.Fields(turn)[0], "+-")
		var moved []store.Ref
		var changed []any
		switch turn {
		case "+" + name:
			there[name], changed = true, []any{web(name)}
		case "-" + name:
			delete(there, name)
			changed = []any{ref(name)}
		default:
			moved = []store.Ref{ref(name)}
			network[ref(name)] = map[bool]byte{true: shared}[turn == name+" here"]
		}
		w.Apply(events(changed...), network, moved, nil)
		w.turn()

		fresh := newWorldWith(t, newFakeModules(), &memory{}, network)
		objects, wanted := []any{way}, false
		for _, name := range all {
			if there[name] {
				objects = append(objects, web(name))
				wanted = wanted || network[ref(name)] == shared
			}
		}
		fresh.apply(objects...)
		gateways := []types.NamespacedName{named2("way")}
		if got, want := content(w.hub, gateways), content(fresh.hub, gateways); !slices.Equal(got, want) {
			t.Errorf("after %q there are\n%s\nwant\n%s", turn, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if _, leads := w.hub.Group(named2("way")).Resources(dataplane.TypeCluster)[address]; leads != wanted {
			t.Errorf("after %q: the address leads somewhere: %v, want %v", turn, leads, wanted)
		}
	}
}
