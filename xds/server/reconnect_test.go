package server_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

func wasm(name string) build.Entry {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: name}, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{Config: []byte("plugin=" + name + ";")},
	}
	v := build.NewVariant(p, "digest-of-"+name)
	return build.Entry{Plugin: p.Key, Fail: p.FailStrategy, Variants: []*build.Variant{v}, Wanted: v.Hash}
}

// query is what the address of the module in a resource carries.
func query(t *testing.T, r *discoveryv3.DeltaDiscoveryResponse) url.Values {
	_, rest, ok := strings.Cut(string(r.Resources[0].Resource.Value), "?")
	if !ok {
		return nil
	}
	end := strings.IndexFunc(rest, func(c rune) bool { return c <= ' ' || c > '~' })
	q, err := url.ParseQuery(rest[:end])
	if err != nil {
		t.Errorf("query of a module: %v", err)
	}
	return q
}

func TestAfterARestartARefusedPluginDoesNotHoldUpItsNeighbour(t *testing.T) {
	bad := wasm("bad")
	first := start(t)
	first.set([]build.Entry{bad, lua("good", "-- one")}, 80)
	proxy := testbed.Connect(t, first.addr, node("default/gw"), nil)
	refuse := func(p *plane, fetches bool) func(*discoveryv3.DeltaDiscoveryResponse) string {
		return func(r *discoveryv3.DeltaDiscoveryResponse) string {
			if q := query(t, r); q != nil {
				if fetches {
					p.server.Served("digest-of-bad", q.Get(server.QueryProxy), true)
				}
				return "Unable to create Wasm plugin default.bad"
			}
			return ""
		}
	}
	proxy.Lane(names.Prefetch(gw), refuse(first, true))
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(10*time.Second, "an error in the place of the refused plugin", func() bool {
		s := first.slot(slotName(80))
		return len(s.Denied) == 1 && len(s.Running) == 1
	})

	restarted := start(t)
	restarted.set([]build.Entry{bad, lua("good", "-- one")}, 80)
	again := testbed.Connect(t, restarted.addr, node("default/gw"), nil)
	again.Lane(names.Prefetch(gw), refuse(restarted, false)) // the code is in the proxy's cache, so it is not fetched again
	again.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, proxy.Held(server.TypeExtensionConfig))
	again.Wait(5*time.Second, "the server knows what the proxy runs", func() bool {
		s := restarted.slot(slotName(80))
		return len(s.Denied) == 1 && len(s.Running) == 1
	})
	if n := len(again.Responses(server.TypeExtensionConfig)); n != 0 {
		t.Errorf("%d responses to a proxy that has what it can run, want none", n)
	}
	restarted.set([]build.Entry{bad, lua("good", "-- two")}, 80)
	again.Wait(5*time.Second, "the change of the neighbour", func() bool { return again.Held(server.TypeExtensionConfig)[slotName(80)] != "" })
	list := again.Responses(server.TypeExtensionConfig)
	if body := string(list[len(list)-1].Resources[0].Resource.Value); !strings.Contains(body, "-- two") || !strings.Contains(body, "plugin default/bad cannot run") {
		t.Errorf("the slot holds %q, want the neighbour's change and still the error", body)
	}
}

func TestTheSameContentFromARestartedServerHasOtherBytes(t *testing.T) {
	var bodies []string
	for range 2 {
		p := start(t)
		p.set([]build.Entry{wasm("a")}, 80)
		proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
		proxy.Lane(names.Prefetch(gw), nil)
		proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
		proxy.Wait(5*time.Second, "the plugin", func() bool { return len(proxy.Held(server.TypeExtensionConfig)) == 1 })
		bodies = append(bodies, string(proxy.Responses(server.TypeExtensionConfig)[0].Resources[0].Resource.Value))
	}
	if bodies[0] == bodies[1] {
		t.Error("equal bytes: if the proxy had refused the first, it would acknowledge the second without applying it")
	}
}

func TestASlotThatIsGoneWhileItsListenerDrainsIsNotFilledFromTheLane(t *testing.T) {
	p := start(t)
	p.set(nil, 80)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	lane := proxy.Lane(names.Prefetch(gw), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if query(t, r) != nil {
			return "not fetched"
		}
		return ""
	})
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the slot", func() bool { return len(proxy.Held(server.TypeExtensionConfig)) == 1 })
	p.set([]build.Entry{wasm("a")}, 80)
	waiting := func() int { return len(p.registry.Proxies(gw)[0].Refused) }
	lane.Wait(5*time.Second, "a plugin that the proxy does not fetch", func() bool { return waiting() == 1 })
	p.remove(80)
	proxy.Wait(5*time.Second, "nobody waits for it any more", func() bool { return waiting() == 0 })
	if got := proxy.Held(server.TypeExtensionConfig)[slotName(80)]; got != "empty" {
		t.Errorf("the slot holds %s, want it as it was", got)
	}
}
