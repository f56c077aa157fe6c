package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// forgetful answers as a proxy that runs what it runs, but whose cache dropped the code: it refuses the first times, and then
// fetches.
type forgetful struct {
	t *testing.T
	p *plane
	// refusals are how many come before the fetch.
	refusals int

	mu      sync.Mutex
	refused int
	fetched bool
	slots   []string
}

func (f *forgetful) answer(r *discoveryv3.DeltaDiscoveryResponse) string {
	if len(r.Resources) == 0 {
		return ""
	}
	q := query(f.t, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fetched || q == nil {
		return ""
	}
	if q.Get("proxy") == "" {
		f.slots = append(f.slots, r.Resources[0].Name)
		return "Unable to create Wasm plugin in a slot"
	}
	if f.refused++; f.refused == f.refusals {
		f.fetched = true
		go f.p.server.Served("shared", q.Get(server.QueryProxy), true)
	}
	return "Unable to create Wasm plugin"
}

// held are the versions of a proxy that runs an entry in a slot.
func held(port int32, e build.Entry) map[string]string {
	return map[string]string{slotName(port): build.Version([]build.Choice{{Plugin: e.Plugin, Variant: e.Variants[0]}})}
}

func TestTheFirstChangeOfAModuleThatMayHaveLeftTheCacheGoesThroughTheLane(t *testing.T) {
	p := start(t)
	one, two := form("a", "one"), form("a", "two")
	p.set([]build.Entry{one}, 80)
	f := &forgetful{t: t, p: p, refusals: 1}
	proxy := testbed.Connect(t, p.addr, node("default/gw"), f.answer)
	proxy.Lane(names.Prefetch(gw), f.answer)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, held(80, one))
	proxy.Wait(5*time.Second, "the server knows what the proxy runs", func() bool { return p.slot(slotName(80)).Synced })
	p.set([]build.Entry{two}, 80)
	proxy.Wait(5*time.Second, "the change", func() bool {
		s := p.slot(slotName(80))
		return s.Synced && s.Running[0] == two.Wanted
	})
	if len(f.slots) != 0 {
		t.Errorf("%d refusals in the slot, want none", len(f.slots))
	}
}

func TestASlotThatIsRecognisedDoesNotProveThatTheCodeIsThere(t *testing.T) {
	p := start(t)
	old, other := form("a", "one"), form("b", "other")
	p.set([]build.Entry{old}, 80)
	p.set([]build.Entry{other}, 81)
	f := &forgetful{t: t, p: p, refusals: 4}
	holding := true
	proxy := testbed.Connect(t, p.addr, node("default/gw"), f.answer)
	lane := proxy.Lane(names.Prefetch(gw), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if holding && query(t, r) != nil {
			holding = false
			return testbed.Hold
		}
		return f.answer(r)
	})
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	lane.Wait(5*time.Second, "the plugin in the lane", func() bool { return len(lane.Responses(server.TypeExtensionConfig)) == 2 })
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, held(80, old))
	proxy.Wait(5*time.Second, "the other slot is recognised", func() bool { return p.slot(slotName(80)).Synced })
	lane.Release("Unable to create Wasm plugin")
	proxy.Wait(15*time.Second, "the plugin, after a fetch", func() bool { return proxy.Held(server.TypeExtensionConfig)[slotName(81)] != "" })
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		if strings.Contains(string(r.Resources[0].Resource.Value), "cannot run") {
			t.Error("the plugin was blamed for a fetch of its code that nobody waited for")
		}
	}
}

func TestAWarmingSlotIsNotSentCodeThatMayHaveLeftTheCache(t *testing.T) {
	p := start(t)
	old := form("a", "one")
	p.set([]build.Entry{old}, 80, 81)
	f := &forgetful{t: t, p: p, refusals: 1}
	proxy := testbed.Connect(t, p.addr, node("default/gw"), f.answer)
	proxy.Lane(names.Prefetch(gw), f.answer)
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, held(80, old))
	proxy.Wait(5*time.Second, "the server knows what the proxy runs", func() bool { return p.slot(slotName(80)).Synced })
	proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	proxy.Wait(5*time.Second, "the new slot", func() bool { return p.slot(slotName(81)).Synced })
	if len(f.slots) != 0 {
		t.Errorf("slots %v were refused, which ends the warming of all", f.slots)
	}
}

func TestASlotThatIsAskedForAgainNeverGetsBytesThatItWasSentBefore(t *testing.T) {
	p := start(t)
	p.set([]build.Entry{lua("a", "-- a")}, 80)
	refused := 0
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if r.TypeUrl == server.TypeExtensionConfig && refused == 0 {
			refused++
			return "refused once"
		}
		return ""
	})
	proxy.Lane(names.Prefetch(gw), nil)
	bodies := map[string]bool{}
	for i := range 3 {
		proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(80)}, nil) // while it is subscribed: the proxy dropped it
		proxy.Wait(5*time.Second, "the slot", func() bool {
			return len(proxy.Responses(server.TypeExtensionConfig)) == i+2 && p.slot(slotName(80)).Synced
		})
	}
	for _, r := range proxy.Responses(server.TypeExtensionConfig) {
		bodies[string(r.Resources[0].Resource.Value)] = true
	}
	if len(bodies) != 4 {
		t.Errorf("four responses with %d different bodies: Envoy acknowledges bytes that it refused unseen", len(bodies))
	}
}
