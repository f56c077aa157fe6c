package server_test

import (
	"context"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

func body(p *testbed.Proxy, i int) string {
	list := p.Responses(server.TypeExtensionConfig)
	if i >= len(list) {
		return ""
	}
	return string(list[i].Resources[0].Resource.Value)
}

func TestProxiesThatAreInTheSameSituationGetTheSameBytesAndOneThatReconnectsOthers(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{form("a", "one")}, 80)
	connect := func(id string) *testbed.Proxy {
		n := node("default/gw")
		n.Id = id
		proxy := testbed.Connect(t, p.addr, n, nil)
		proxy.Lane(names.Prefetch(gw), nil)
		proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
		proxy.Wait(5*time.Second, "the slot", func() bool { return body(proxy, 0) != "" })
		return proxy
	}
	x, y := connect("x"), connect("y")
	if body(x, 0) != body(y, 0) {
		t.Errorf("two proxies got different bytes:\n%q\n%q", body(x, 0), body(y, 0))
	}
	x.Close()
	x = connect("x")
	if body(x, 0) == body(y, 0) {
		t.Error("a proxy that reconnected got the bytes that it had been sent: had it refused them, it would acknowledge them unseen")
	}
}

func TestAProxyThatDoesNotReadHoldsUpNobody(t *testing.T) {
	p := start(t)
	large := cache.NewResource(&anypb.Any{TypeUrl: server.TypeListener, Value: make([]byte, 1<<20)})
	p.hub.Group(gw).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {"l": large}, server.TypeCluster: {"c": large}, server.TypeRoute: {"r": large},
	}})
	list, slots := ports(4)
	p.set(nil, list...)
	for range 8 { // more than there are workers
		conn, err := grpc.NewClient(p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*discoveryv3.DeltaDiscoveryRequest{
			{Node: node("default/gw"), TypeUrl: server.TypeCluster}, {TypeUrl: server.TypeRoute, ResourceNamesSubscribe: []string{"r"}},
			{TypeUrl: server.TypeListener}, {TypeUrl: server.TypeExtensionConfig, ResourceNamesSubscribe: slots},
		} {
			if err := stream.Send(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Wait(5*time.Second, "all are connected", func() bool { return len(p.registry.Proxies(gw)) == 9 })
	proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, slots[:1], nil)
	for i := range 5 {
		e := lua("a", string(rune('a'+i)))
		p.set([]build.Entry{e}, list[0])
		proxy.Wait(5*time.Second, "a change", func() bool {
			for _, x := range p.registry.Proxies(gw) {
				if x.Runs(slots[0], e.Wanted) {
					return true
				}
			}
			return false
		})
	}
}

func TestALaneGoesToTheNextMainStreamThatWasThereBeforeTheFirstEnded(t *testing.T) {
	p := start(t)
	p.set(nil, 80)
	first := testbed.Connect(t, p.addr, node("default/gw"), nil)
	lane := first.Lane(names.Prefetch(gw), nil)
	first.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	first.Wait(5*time.Second, "the slot", func() bool { return p.slot(slotName(80)).Synced })
	again := testbed.Connect(t, p.addr, node("default/gw"), nil)
	again.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, first.Held(server.TypeExtensionConfig))
	again.Wait(5*time.Second, "both main streams", func() bool { return len(p.registry.Proxies(gw)) == 2 })
	first.Close()
	first.Wait(5*time.Second, "the first one's end", func() bool { return len(p.registry.Proxies(gw)) == 1 })
	e := form("a", "one")
	p.set([]build.Entry{e}, 80)
	again.Wait(5*time.Second, "a change through the lane", func() bool { return again.Held(server.TypeExtensionConfig)[slotName(80)] != "" })
	if lane.Err() != nil {
		t.Errorf("the lane ended: %v", lane.Err())
	}
}

func TestTwoProxiesOfOneNodeIdKeepTheirLanes(t *testing.T) {
	p := start(t)
	p.set(nil, 80)
	x := testbed.Connect(t, p.addr, node("default/gw"), nil)
	x.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	x.Wait(5*time.Second, "the first", func() bool { return len(x.Held(server.TypeExtensionConfig)) == 1 })
	y := testbed.Connect(t, p.addr, node("default/gw"), nil)
	y.Wait(5*time.Second, "the second", func() bool { return len(p.registry.Proxies(gw)) == 2 })
	yLane := y.Lane(names.Prefetch(gw), nil)
	yLane.Wait(5*time.Second, "a lane", func() bool { return len(yLane.Responses(server.TypeExtensionConfig)) == 1 })
	xLane := x.Lane(names.Prefetch(gw), nil)
	xLane.Wait(5*time.Second, "the other lane", func() bool { return len(xLane.Responses(server.TypeExtensionConfig)) == 1 })
	y.Close() // its lane stays open, and is not the other proxy's
	y.Wait(5*time.Second, "the second one's end", func() bool { return len(p.registry.Proxies(gw)) == 1 })
	p.set([]build.Entry{form("a", "one")}, 80)
	x.Wait(5*time.Second, "a change through the own lane", func() bool { return x.Held(server.TypeExtensionConfig)[slotName(80)] != "empty" })
	if n, m := len(xLane.Responses(server.TypeExtensionConfig)), len(yLane.Responses(server.TypeExtensionConfig)); n != 2 || m != 1 {
		t.Errorf("%d responses in the own lane and %d in the other proxy's, want 2 and 1", n, m)
	}
}

func TestALaneIsNotServedForAnotherNodeBehindTheSameAddress(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{form("a", "one")}, 80)
	n := node("default/gw")
	n.Id = "x"
	x := testbed.Connect(t, p.addr, n, nil)
	x.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	x.Wait(5*time.Second, "the first node", func() bool { return len(p.registry.Proxies(gw)) == 1 })
	n.Id = "y" // what comes over the same connection now is another node's
	lane := x.Lane(names.Prefetch(gw), nil)
	y := testbed.Connect(t, p.addr, n, nil)
	y.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	y.Wait(5*time.Second, "the plugin, through the lane", func() bool { return len(y.Held(server.TypeExtensionConfig)) == 1 })
	if got := x.Responses(server.TypeExtensionConfig); len(got) != 0 || len(lane.Responses(server.TypeExtensionConfig)) != 2 {
		t.Errorf("the first node got %d responses, and the lane %d: want none, and two", len(got), len(lane.Responses(server.TypeExtensionConfig)))
	}
}

func TestALaneThatOutlivesTheMainStreamServesTheNextOne(t *testing.T) {
	p := start(t)
	p.set(nil, 80)
	first := testbed.Connect(t, p.addr, node("default/gw"), nil)
	lane := first.Lane(names.Prefetch(gw), nil)
	first.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	first.Wait(5*time.Second, "the slot", func() bool { return p.slot(slotName(80)).Synced })
	first.Close()
	first.Wait(5*time.Second, "the stream's end", func() bool { return len(p.registry.Proxies(gw)) == 0 })
	before := len(lane.Responses(server.TypeExtensionConfig))
	again := testbed.Connect(t, p.addr, node("default/gw"), nil)
	again.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, first.Held(server.TypeExtensionConfig))
	e := form("a", "one")
	p.set([]build.Entry{e}, 80)
	again.Wait(5*time.Second, "a change through the same lane", func() bool {
		s := p.slot(slotName(80))
		return s.Synced && len(s.Running) == 1 && s.Running[0] == e.Wanted
	})
	if lane.Err() != nil || len(lane.Responses(server.TypeExtensionConfig)) <= before {
		t.Errorf("the lane ended (%v) or was not used", lane.Err())
	}
}
