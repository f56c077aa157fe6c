package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// TestAChangeOfOneSlotIsNotHeldUpByAChangeOf500 logs how long a change takes from the hub to its effect on requests.
func TestAChangeOfOneSlotIsNotHeldUpByAChangeOf500(t *testing.T) {
	const urgent = 80
	w := newWorld(t, urgent)
	digest := w.marker("m")
	// The others take no traffic: what is measured is what their changes cost the urgent one.
	var others []string
	listeners := map[string]*cache.Resource{}
	slots := map[string]*build.Slot{}
	for p := int32(1000); p < 1500; p++ {
		scope := model.Scope{Gateway: gateway, Port: p}
		name := names.Slot(scope, model.PhaseAuthn)
		others, slots[name] = append(others, name), &build.Slot{Name: name}
		listeners[names.Listener(scope)] = unbound(t, names.Listener(scope), int(p), []string{name})
	}
	w.hub.Group(gateway).Apply(cache.Change{Slots: slots, Resources: map[string]map[string]*cache.Resource{server.TypeListener: listeners}})
	// set brings a version of both plugins into the urgent slot, and of the wide one into all others if all is set.
	set := func(all bool, wideMark, mark string) {
		wide, _ := w.plugin("wide", digest, wideMark)
		own, _ := w.plugin("urgent", digest, mark)
		name := names.Slot(model.Scope{Gateway: gateway, Port: urgent}, model.PhaseAuthn)
		slots := map[string]*build.Slot{name: {Name: name, Entries: []build.Entry{wide, own}}}
		if all {
			for _, name := range others {
				slots[name] = &build.Slot{Name: name, Entries: []build.Entry{wide}}
			}
		}
		w.hub.Group(gateway).Apply(cache.Change{Slots: slots})
	}
	everywhere := func(wideMark string) {
		t.Helper()
		_, v := w.plugin("wide", digest, wideMark)
		testbed.Eventually(t, soon, wideMark+" runs in all slots", func() (bool, string) {
			n := 0
			for _, p := range w.registry.Proxies(gateway) {
				for _, name := range others {
					if p.Runs(name, v.Hash) {
						n++
					}
				}
			}
			return n == len(others), fmt.Sprint(n, " slots")
		})
	}
	w.envoy()
	wideMark := "wide"
	set(true, wideMark, "urgent")
	w.wants(urgent, soon, 200, "urgent,wide") // responses pass the chain backwards
	everywhere(wideMark)
	l := w.load(urgent)
	change := func(mark string) time.Duration {
		begin := time.Now()
		set(false, wideMark, mark)
		testbed.Eventually(t, soon, mark, func() (bool, string) {
			// Whether it comes with the wide plugin's next version or with the one before does not matter; with none it must not.
			status, plugins, err := w.get(urgent)
			return err == nil && status == 200 && strings.HasPrefix(plugins, mark+",wide"), fmt.Sprint(status, plugins, err)
		})
		return time.Since(begin)
	}
	var alone, behind []time.Duration
	for i := range 20 {
		alone = append(alone, change(fmt.Sprint("alone ", i)))
	}
	for i := range 5 {
		begin := time.Now()
		wideMark = fmt.Sprint("wide ", i)
		set(true, wideMark, fmt.Sprint("with ", i))
		for j := range 8 {
			behind = append(behind, change(fmt.Sprint("behind ", i, " ", j)))
		}
		everywhere(wideMark)
		t.Logf("the wide change took %s", time.Since(begin).Round(time.Millisecond))
	}
	l.stop(t)
	slices.Sort(alone)
	slices.Sort(behind)
	t.Logf("from the hub's change to its effect: alone p50 %s, max %s; behind 500 slots p50 %s, max %s",
		alone[len(alone)/2], alone[len(alone)-1], behind[len(behind)/2], behind[len(behind)-1])
}
