package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

func TestEverySlotTravelsAloneAndAtMostFourAreUnacknowledged(t *testing.T) {
	p := start(t)
	list, slots := ports(60)
	p.set(nil, list...)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if r.TypeUrl != server.TypeExtensionConfig {
			return ""
		}
		return testbed.Hold
	})
	proxy.Subscribe(server.TypeExtensionConfig, slots, nil)
	proxy.Wait(5*time.Second, "the first of many", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) == 1 })
	for i := range 6 { // changes of single slots take the places that are kept for them, and no more
		p.set(nil, int32(2000+i))
		proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(int32(2000 + i))}, nil)
	}
	proxy.Wait(5*time.Second, "four responses", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) == 4 })
	proxy.Wait(5*time.Second, "all slots acknowledged", func() bool {
		proxy.Release("")
		return len(proxy.Held(server.TypeExtensionConfig)) == 66
	})
	if n := proxy.MaxUnacknowledged(); n > 4 {
		t.Errorf("%d responses were unacknowledged at one time, want at most 4", n)
	}
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		if len(r.Resources) != 1 || len(r.RemovedResources) != 0 {
			t.Fatalf("a response with %d resources and %d removals, want one and none", len(r.Resources), len(r.RemovedResources))
		}
	}
}

func TestAChangeOfOneSlotOvertakesAChangeOfMany(t *testing.T) {
	p := start(t)
	list, slots := ports(100)
	p.set(nil, append(list, 80)...)
	hold := false
	var order []string // read after the responses were seen, under the proxy's lock in Wait
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if r.TypeUrl != server.TypeExtensionConfig || !hold {
			return ""
		}
		order = append(order, r.Resources[0].Name)
		return testbed.Hold
	})
	proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, append(slots, slotName(80)), nil)
	proxy.Wait(5*time.Second, "all slots answered", func() bool { return len(proxy.Held(server.TypeExtensionConfig)) == 101 })
	hold = true
	p.set([]build.Entry{lua("wide", "-- wide")}, list...)
	proxy.Wait(5*time.Second, "the wide change begins", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) >= 102 })
	p.set([]build.Entry{lua("urgent", "-- urgent")}, 80)
	// No answer of the proxy is needed: a place is kept for what changes alone.
	proxy.Wait(5*time.Second, "the next response", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) >= 103 })
	if got := order[1]; got != slotName(80) {
		t.Errorf("after the responses under way came %s, want the urgent slot", got)
	}
}

func TestAReconnectingProxyIsSentNothingThatItHas(t *testing.T) {
	p := start(t)
	list, slots := ports(20)
	p.set([]build.Entry{lua("a", "-- a")}, list...)
	body := &anypb.Any{TypeUrl: server.TypeListener, Value: []byte{}}
	p.hub.Group(gw).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {"l": cache.NewResource(body)},
	}})
	first := testbed.Connect(t, p.addr, node("default/gw"), nil)
	first.Subscribe(server.TypeListener, nil, nil)
	first.Lane(names.Prefetch(gw), nil)
	first.Subscribe(server.TypeExtensionConfig, slots, nil)
	first.Wait(5*time.Second, "everything", func() bool {
		return len(first.Held(server.TypeExtensionConfig)) == 20 && len(first.Held(server.TypeListener)) == 1
	})
	slotVersions, listenerVersions := first.Held(server.TypeExtensionConfig), first.Held(server.TypeListener)
	first.Close()

	restarted := start(t)
	restarted.set([]build.Entry{lua("a", "-- a")}, list...)
	restarted.hub.Group(gw).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {"l": cache.NewResource(body)},
	}})
	again := testbed.Connect(t, restarted.addr, node("default/gw"), nil)
	again.Subscribe(server.TypeListener, nil, listenerVersions)
	again.Subscribe(server.TypeExtensionConfig, slots, slotVersions)
	again.Wait(5*time.Second, "the server knows what the proxy runs", func() bool {
		synced := 0
		for _, name := range slots {
			if restarted.slot(name).Synced {
				synced++
			}
		}
		return synced == 20
	})
	for _, r := range append(again.Responses(server.TypeExtensionConfig), again.Responses(server.TypeListener)...) {
		if len(r.Resources) > 0 {
			t.Errorf("the proxy was sent %s, which it has", r.Resources[0].Name)
		}
	}
}

func TestAProxyIsNotAnsweredForAnotherGatewaysSlots(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{lua("secret", "-- secret")}, 80)
	other := testbed.Connect(t, p.addr, node("default/other"), nil)
	other.Subscribe(server.TypeExtensionConfig, []string{slotName(80), names.Prefetch(gw)}, nil)
	own := names.Prefetch(types.NamespacedName{Namespace: "default", Name: "other"})
	lane := other.Lane(own, nil)
	lane.Wait(5*time.Second, "an answer for the own lane", func() bool { return lane.Held(server.TypeExtensionConfig)[own] != "" })
	if n := len(other.Responses(server.TypeExtensionConfig)); n != 0 {
		t.Errorf("%d responses for slots of another gateway, want none", n)
	}
}

func TestASlotThatVanishesIsNeverSentAsARemoval(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{lua("a", "-- a")}, 80)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the slot", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(80)] != "" })
	p.hub.Group(gw).Apply(cache.Change{Slots: map[string]*build.Slot{slotName(80): nil, slotName(81): {Name: slotName(81)}}})
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	proxy.Wait(5*time.Second, "the next slot", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(81)] != "" })
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		if len(r.RemovedResources) > 0 {
			t.Errorf("removal of %v sent", r.RemovedResources)
		}
	}
}

func TestARefusedSlotIsSentAgainWithOtherBytes(t *testing.T) {
	p := start(t)
	p.set(nil, 80)
	refused := 0
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if r.TypeUrl == server.TypeExtensionConfig && r.Resources[0].Name == slotName(80) && r.Resources[0].Version != "empty" && refused == 0 {
			refused++
			return "refused once"
		}
		return ""
	})
	proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the empty slot", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(80)] == "empty" })
	p.set([]build.Entry{lua("a", "-- a")}, 80)
	proxy.Wait(5*time.Second, "the plugin after a refusal", func() bool {
		v := proxy.Held(server.TypeExtensionConfig)[slotName(80)]
		return v != "" && v != "empty"
	})
	var bodies []string
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		if r.Resources[0].Name == slotName(80) && r.Resources[0].Version != "empty" {
			bodies = append(bodies, string(r.Resources[0].Resource.Value))
		}
	}
	if len(bodies) != 2 || bodies[0] == bodies[1] {
		t.Errorf("%d sendings of the refused content, want two that differ", len(bodies))
	}
}

func TestClustersComeBeforeListenersAndLeaveAfterThem(t *testing.T) {
	p := start(t)
	g := p.hub.Group(gw)
	res := func(url, text string) *cache.Resource {
		return cache.NewResource(&anypb.Any{TypeUrl: url, Value: []byte(text)})
	}
	var order []string
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		kind := r.TypeUrl[strings.LastIndex(r.TypeUrl, ".")+1:]
		for _, x := range r.Resources {
			order = append(order, "+"+kind+" "+x.Name)
		}
		for _, n := range r.RemovedResources {
			order = append(order, "-"+kind+" "+n)
		}
		return ""
	})
	proxy.Subscribe(server.TypeListener, nil, nil)
	proxy.Wait(5*time.Second, "first answers", func() bool { return len(proxy.Responses(server.TypeListener)) == 1 })
	g.Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeCluster:  {"c": res(server.TypeCluster, "c")},
		server.TypeListener: {"l": res(server.TypeListener, "l")},
	}})
	proxy.Wait(5*time.Second, "the listener", func() bool { return proxy.Held(server.TypeListener)["l"] != "" })
	g.Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeCluster:  {"c": nil},
		server.TypeListener: {"l": nil},
	}})
	proxy.Wait(5*time.Second, "both gone", func() bool {
		return len(proxy.Held(server.TypeListener)) == 0 && len(proxy.Held(server.TypeCluster)) == 0
	})
	if got, want := fmt.Sprint(order), "[+Cluster c +Listener l -Listener l -Cluster c]"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

func TestAnEnvoyWithoutFilterChainIsToldSo(t *testing.T) {
	p := start(t)
	n := node("default/gw")
	n.UserAgentVersionType = &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
		Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 38},
	}}
	proxy := testbed.Connect(t, p.addr, n, nil)
	proxy.Wait(5*time.Second, "the end of the stream", func() bool { return proxy.Err() != nil })
	if want := "Envoy 1.38.0 is too old: slots need the filter_chain filter, which Envoy has since 1.39; upgrade the proxy"; !strings.Contains(proxy.Err().Error(), want) {
		t.Errorf("error %q, want %q in it", proxy.Err(), want)
	}
}

func TestARefusedListenerIsSentAgainAndSaidUntilItIsTaken(t *testing.T) {
	p := start(t)
	refused := 0
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if len(r.Resources) > 0 && r.TypeUrl == server.TypeListener && refused < 2 {
			refused++
			return "cannot bind '127.0.0.1:80': Address already in use"
		}
		return ""
	})
	proxy.Subscribe(server.TypeListener, nil, nil)
	p.hub.Group(gw).Apply(cache.Change{Resources: resources(server.TypeListener, "l")})
	said := func() string { return p.refusedTypes()[server.TypeListener].Text }
	proxy.Wait(5*time.Second, "the refusal is known", func() bool { return strings.Contains(said(), "Address already in use") })
	proxy.Wait(10*time.Second, "the listener at the third try", func() bool { return proxy.Held(server.TypeListener)["l"] != "" })
	proxy.Wait(5*time.Second, "the refusal is gone", func() bool { return said() == "" })
}

func TestARefusedListenerThatIsDeletedIsRemovedFromTheProxy(t *testing.T) {
	p := start(t)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if len(r.Resources) > 0 {
			return "no" // but an older form of it may be in force
		}
		return ""
	})
	proxy.Subscribe(server.TypeListener, nil, nil)
	p.hub.Group(gw).Apply(cache.Change{Resources: resources(server.TypeListener, "l")})
	proxy.Wait(5*time.Second, "the refusal", func() bool { return len(p.refusedTypes()) == 1 })
	gone := resources(server.TypeListener, "l")
	gone[server.TypeListener]["l"] = nil
	p.hub.Group(gw).Apply(cache.Change{Resources: gone})
	proxy.Wait(5*time.Second, "the removal", func() bool {
		list := proxy.Responses(server.TypeListener)
		return len(list[len(list)-1].RemovedResources) == 1 && len(p.refusedTypes()) == 0
	})
}

func TestAClusterGoesThoughTheRoutesThatChangedWithItAreNotForThisProxy(t *testing.T) {
	p := start(t)
	g := p.hub.Group(gw)
	g.Apply(cache.Change{Resources: resources(server.TypeCluster, "c")})
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Subscribe(server.TypeRoute, []string{"mine"}, nil)
	proxy.Wait(5*time.Second, "the cluster", func() bool {
		return proxy.Held(server.TypeCluster)["c"] != "" && len(proxy.Responses(server.TypeRoute)) == 1
	})
	change := resources(server.TypeRoute, "another")
	change[server.TypeCluster] = map[string]*cache.Resource{"c": nil}
	g.Apply(cache.Change{Resources: change})
	proxy.Wait(5*time.Second, "the cluster is gone", func() bool { return len(proxy.Held(server.TypeCluster)) == 0 })
}

func TestAChangedClusterGetsItsEndpointsAgain(t *testing.T) {
	p := start(t)
	g := p.hub.Group(gw)
	g.Apply(cache.Change{Resources: resources(server.TypeCluster, "c")})
	g.Apply(cache.Change{Resources: resources(server.TypeEndpoint, "c")})
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Subscribe(server.TypeEndpoint, []string{"c"}, nil)
	proxy.Wait(5*time.Second, "cluster and endpoints", func() bool {
		return proxy.Held(server.TypeCluster)["c"] != "" && proxy.Held(server.TypeEndpoint)["c"] != ""
	})
	g.Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeCluster: {"c": cache.NewResource(&anypb.Any{TypeUrl: server.TypeCluster, Value: []byte("other")})},
	}})
	proxy.Wait(5*time.Second, "the endpoints once more", func() bool {
		sent := 0
		for _, r := range proxy.Responses(server.TypeEndpoint) {
			sent += len(r.Resources)
		}
		return sent == 2
	})
}
