package server_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// form is a plugin with a configuration, on a module that all such plugins share, and what it may fall back to.
func form(name, config string, lastGood ...*build.Variant) build.Entry {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: name}, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{Config: []byte(config)},
	}
	v := build.NewVariant(p, "shared")
	return build.Entry{Plugin: p.Key, Fail: p.FailStrategy, Variants: append([]*build.Variant{v}, lastGood...), Wanted: v.Hash}
}

// refuseBad answers as a proxy whose module refuses configurations with the word BAD.
func refuseBad(r *discoveryv3.DeltaDiscoveryResponse) string {
	if len(r.Resources) > 0 && strings.Contains(string(r.Resources[0].Resource.Value), "BAD") {
		return "Unable to create Wasm plugin default.a"
	}
	return ""
}

func TestAnotherConfigurationOfCodeThatRunsGoesStraightIntoTheSlot(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{form("a", "one")}, 80, 81)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	lane := proxy.Lane(names.Prefetch(gw), nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the plugin", func() bool { return p.slot(slotName(80)).Synced })
	before := len(lane.Responses(server.TypeExtensionConfig))
	next := form("a", "two")
	p.set([]build.Entry{next}, 80)
	proxy.Wait(5*time.Second, "the change", func() bool {
		s := p.slot(slotName(80))
		return s.Synced && s.Running[0] == next.Wanted
	})
	if n := len(lane.Responses(server.TypeExtensionConfig)) - before; n != 0 {
		t.Errorf("%d pushes through the lane, want none", n)
	}

	// A slot that warms: now a refusal would do harm, so the lane is the way.
	proxy.Subscribe(server.TypeExtensionConfig, []string{"a slot that nobody answers"}, nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	proxy.Wait(5*time.Second, "the other slot", func() bool { return p.slot(slotName(81)).Synced })
	before = len(lane.Responses(server.TypeExtensionConfig))
	p.set([]build.Entry{form("a", "three")}, 80)
	lane.Wait(5*time.Second, "a push through the lane", func() bool { return len(lane.Responses(server.TypeExtensionConfig)) == before+1 })
}

func TestWhatASlotRefusesIsSaidAtOnceAndComesBackWithoutIt(t *testing.T) {
	var connected, slots, lanes, nacks atomic.Int64
	p := startWith(t, server.Hooks{
		Connected: func(by int) { connected.Add(int64(by)) },
		Pushed: func(_ string, lane bool) {
			if lane {
				lanes.Add(1)
			} else {
				slots.Add(1)
			}
		},
		Refused: func(_ string, lane bool) {
			if !lane {
				nacks.Add(1)
			}
		},
	})
	good := form("a", "one")
	p.set([]build.Entry{good, form("b", "b one")}, 80)
	proxy := testbed.Connect(t, p.addr, node("default/gw"), refuseBad)
	lane := proxy.Lane(names.Prefetch(gw), refuseBad)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the plugins", func() bool { return p.slot(slotName(80)).Synced })
	bad, neighbour := form("a", "BAD", good.Variants...), form("b", "b two")
	p.set([]build.Entry{bad, neighbour}, 80)
	proxy.Wait(5*time.Second, "the neighbour's change beside the last good", func() bool {
		s := p.slot(slotName(80))
		return len(s.Running) == 2 && s.Running[0] == good.Wanted && s.Running[1] == neighbour.Wanted
	})
	proxy.Wait(5*time.Second, "the slot settles", func() bool { return p.slot(slotName(80)).Synced })
	if r := p.registry.Proxies(gw)[0].Refused; len(r) != 1 || r[bad.Wanted].Text != "Unable to create Wasm plugin default.a" {
		t.Errorf("refused: %v, want the bad variant with the proxy's text", r)
	}
	refusals, bodies := 0, map[string]bool{}
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		if refuseBad(r) != "" {
			refusals++
		}
		bodies[string(r.Resources[0].Resource.Value)] = true
	}
	if refusals != 1 {
		t.Errorf("the slot was sent the bad configuration %d times, want once", refusals)
	}
	if n := len(proxy.Responses(server.TypeExtensionConfig)); n != len(bodies) {
		t.Errorf("%d responses with %d different bodies: Envoy takes no notice of bytes that it was sent before", n, len(bodies))
	}
	// The corrected configuration and a new bad one: neither has to wait for what was before.
	pushed := len(lane.Responses(server.TypeExtensionConfig))
	fixed := form("a", "fixed", good.Variants...)
	p.set([]build.Entry{fixed, neighbour}, 80)
	proxy.Wait(5*time.Second, "the corrected configuration", func() bool {
		s := p.slot(slotName(80))
		return s.Synced && s.Running[0] == fixed.Wanted
	})
	if n := len(lane.Responses(server.TypeExtensionConfig)) - pushed; n > 1 { // one if the lane is emptied meanwhile
		t.Errorf("%d pushes through the lane for a correction, want none", n)
	}
	// The main stream's first response is for the clusters, of which there are none.
	if c, n, l := connected.Load(), nacks.Load(), lanes.Load(); c != 1 || n != 1 || l != int64(len(lane.Responses(server.TypeExtensionConfig))) ||
		slots.Load() != int64(len(proxy.Responses(server.TypeExtensionConfig))+1) {
		t.Errorf("hooks counted %d proxies, %d refusals in slots, %d pushes to lanes and %d others", c, n, l, slots.Load())
	}
}
