package dataplane

import (
	"net/netip"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestTheSameObjectsGiveTheSameBytes(t *testing.T) {
	w := newWorld(t, httpWorld)
	w.service("one", 80, HTTP, "127.0.0.1:1")
	w.service("web", 80, GRPCWeb, "127.0.0.1:2")
	build := func() (all []string) {
		_, resources, _ := w.compile()
		for _, r := range resources {
			if l, ok := r.Message.(*listenerv3.Listener); ok {
				l.Address = nil // every call takes free ports
			}
			b, err := r.Any()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Name+string(b.Value))
		}
		return all
	}
	first := build()
	for range 20 {
		again := build()
		if len(again) != len(first) {
			t.Fatalf("got %d resources, then %d", len(first), len(again))
		}
		for i := range again {
			if again[i] != first[i] {
				t.Fatalf("resource %d differs", i)
			}
		}
	}
}

func TestSlotsStandBeforeEverythingThatActs(t *testing.T) {
	w := newWorld(t, httpWorld)
	w.service("one", 80, HTTP, "127.0.0.1:1")
	_, resources, _ := w.compile()
	scope := model.Scope{Gateway: gateway, Port: 80}
	for _, r := range resources {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok || r.Name != names.Listener(scope) {
			continue
		}
		filters := l.FilterChains[0].Filters
		if len(filters) != model.NetworkSlots+1 {
			t.Fatalf("got %d network filters", len(filters))
		}
		for i := range model.NetworkSlots {
			if filters[i].Name != names.NetworkSlot(scope, i) {
				t.Errorf("network filter %d is %s", i, filters[i].Name)
			}
		}
		http := managerOf(t, filters[model.NetworkSlots]).HttpFilters
		for i, p := range model.Phases {
			d := http[i].GetConfigDiscovery()
			if http[i].Name != names.Slot(scope, p) || d == nil || d.DefaultConfig != nil || d.ApplyDefaultConfigWithoutWarming || d.ConfigSource.InitialFetchTimeout.AsDuration() != 0 {
				t.Errorf("HTTP filter %d is %v: a slot must wait for its content and must have no default", i, http[i])
			}
		}
		return
	}
	t.Fatal("no listener")
}

func TestAWaypointNeverReadsFromAConnectionBeforeItsFilters(t *testing.T) {
	for _, p := range []Protocol{TCP, HTTP, HTTP2, GRPCWeb} {
		in := ServiceInput{
			Scope: scopeOf("s", 80), Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
			Destination: Destination{Service: scopeOf("s", 80).Service, Port: 80, Protocol: p},
		}
		for _, r := range WaypointService(in) {
			if l, ok := r.Message.(*listenerv3.Listener); ok && (len(l.ListenerFilters) != 1 || l.ListenerFilters[0].Name != originalDstName || l.GetInternalListener() == nil) {
				t.Errorf("%s: got %v", p, l)
			}
		}
		in.Addresses = nil
		if got := WaypointService(in); got != nil {
			t.Errorf("a Service without address got %d resources", len(got))
		}
	}
}

func TestAChangeOfARouteLeavesTheListenersAlone(t *testing.T) {
	w := newWorld(t, httpWorld)
	w.service("one", 80, HTTP, "127.0.0.1:1")
	res, _, _ := w.compile()
	in := IngressInput{Gateway: gateway, Addresses: []netip.Addr{local}, Ports: res.Ports}
	before := Ingress(in, w)
	for i := range in.Ports {
		in.Ports[i].Chains[0].Hosts = nil
	}
	w.service("one", 80, GRPCWeb, "127.0.0.1:2")
	after := map[string]proto.Message{}
	for _, r := range Ingress(in, w) {
		after[r.Name] = r.Message
	}
	changed := false
	for _, r := range before {
		switch m := r.Message.(type) {
		case *listenerv3.Listener:
			if !proto.Equal(m, after[r.Name]) {
				t.Errorf("listener %s changed", r.Name)
			}
		case *routev3.RouteConfiguration:
			changed = changed || !proto.Equal(m, after[r.Name])
		}
	}
	if !changed {
		t.Error("the routes did not change, so this test says nothing")
	}
}
