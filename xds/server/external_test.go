package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// sent is all that a stream was sent.
func sent(p *testbed.Proxy) string {
	var out strings.Builder
	for _, r := range p.Responses(server.TypeExtensionConfig) {
		for _, resource := range r.Resources {
			out.Write(resource.Resource.Value)
		}
	}
	return out.String()
}

func TestASlotWithAStreamOfItsOwnHasALaneOfItsOwn(t *testing.T) {
	p := start(t)
	a, b := form("a", "one"), form("b", "one")
	p.set([]build.Entry{a}, 80)
	p.set([]build.Entry{b}, 81)
	opener := testbed.Connect(t, p.addr, node("default/other"), nil) // its connection alone is of use
	slots := map[string]*testbed.Proxy{}
	n := node("default/gw")
	for _, name := range []string{slotName(80), slotName(81)} {
		for _, stream := range []string{names.Lane(name), name} {
			slots[stream] = opener.Stream(n, stream)
		}
	}
	opener.Wait(5*time.Second, "both slots have their plugins", func() bool {
		merged := acks.Merge(p.registry.Proxies(gw))
		return len(merged) == 1 && merged[0].Runs(slotName(80), a.Wanted) && merged[0].Runs(slotName(81), b.Wanted)
	})
	for own, foreign := range map[int32]string{80: "default.b", 81: "default.a"} {
		lane := sent(slots[names.Lane(slotName(own))])
		if lane == "" || strings.Contains(lane, foreign) {
			t.Errorf("the lane of port %d was sent %q", own, lane)
		}
	}
	next := form("a", "two")
	p.set([]build.Entry{next}, 80)
	opener.Wait(5*time.Second, "a change arrives", func() bool { return acks.Merge(p.registry.Proxies(gw))[0].Runs(slotName(80), next.Wanted) })
}

func TestAnExternalProxysSlotIsWantedWhenItIsAskedFor(t *testing.T) {
	workload := model.WorkloadName("default", map[string]string{"app": "web"}, false)
	own := names.Slot(model.Scope{Side: model.SideInbound, Port: 80}, model.PhaseAuthn)
	var mu sync.Mutex
	var wanted []string
	foreign := 0
	p := startWith(t, server.Hooks{
		Wanted: func(w types.NamespacedName, slot names.SlotName) {
			mu.Lock()
			defer mu.Unlock()
			wanted = append(wanted, w.String()+" "+slot.String())
		},
		Foreign: func() { mu.Lock(); foreign++; mu.Unlock() },
	})
	proxy := testbed.Connect(t, p.addr, node(workload.String()), nil)
	proxy.Subscribe(server.TypeExtensionConfig, []string{own, slotName(80)}, nil)
	proxy.Wait(5*time.Second, "the slot is wanted, and the Gateway's is foreign", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(wanted) == 1 && wanted[0] == workload.String()+" "+own && foreign == 1
	})
	p.hub.Group(workload).Apply(cache.Change{Slots: map[string]*build.Slot{own: {Name: own}}})
	proxy.Wait(5*time.Second, "the slot is answered", func() bool { return len(proxy.Responses(server.TypeExtensionConfig)) == 1 })

	gateways := testbed.Connect(t, p.addr, node("default/gw"), nil)
	gateways.Subscribe(server.TypeExtensionConfig, []string{own}, nil)
	gateways.Wait(5*time.Second, "a Gateway's proxy asks in vain", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return foreign == 2 && len(wanted) == 1
	})
}
