package acks

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var (
	gw    = types.NamespacedName{Namespace: "default", Name: "gw"}
	other = types.NamespacedName{Namespace: "default", Name: "other"}
	now   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestAVariantIsReportedWhenTheFirstSlotRunsIt(t *testing.T) {
	var started []string
	r := NewRegistry(Events{Runs: func(v string) { started = append(started, v) }})
	a, b := r.Connect("a", gw, "1.40.0", now), r.Connect("b", gw, "1.40.0", now)
	for i, step := range []struct {
		do      func()
		started []string
		running bool // v1
	}{
		{func() { a.SetSlot("s", Slot{Running: []string{"v1"}}) }, []string{"v1"}, true},
		{func() { a.SetSlot("s", Slot{Running: []string{"v1"}}) }, nil, true},
		{func() { b.SetSlot("s", Slot{Running: []string{"v1", "v2"}}) }, []string{"v2"}, true},
		{func() { a.SetSlot("s", Slot{Running: []string{"v2"}}) }, nil, true},
		{func() { b.DropSlot("s") }, nil, false},
		{func() { b.DropSlot("s") }, nil, false},
		{func() { b.SetSlot("t", Slot{Running: []string{"v1"}}) }, []string{"v1"}, true},
		{func() { b.Disconnect() }, nil, false},
		{func() { a.Disconnect() }, nil, false},
	} {
		started = nil
		step.do()
		if !slices.Equal(started, step.started) || r.Running("v1") != step.running {
			t.Errorf("step %d: started %v, v1 running %v; want %v, %v", i, started, r.Running("v1"), step.started, step.running)
		}
	}
	if len(r.running) != 0 || len(r.proxies) != 0 {
		t.Errorf("left behind: %v, %v", r.running, r.proxies)
	}
}

func TestProxiesAreSortedCopies(t *testing.T) {
	changed := map[types.NamespacedName]int{}
	r := NewRegistry(Events{Changed: func(c Change) { changed[c.Gateway]++ }})
	b, a, o := r.Connect("b", gw, "1.40.0", now), r.Connect("a", gw, "1.40.0", now), r.Connect("a", other, "1.39.1", now)
	a.SetSlot("s", Slot{Running: []string{"v"}})
	a.Refuse("v", "no", now)
	b.RefuseType("listeners", "in use", now)
	o.Nack("what", now)
	list := r.All()
	if len(list) != 3 || list[0].ID != "a" || list[1].ID != "b" || list[2].Gateway != other {
		t.Fatalf("proxies %+v, want a and b of gw, a of other", list)
	}
	if !list[0].Runs("s", "v") || list[0].Runs("s", "w") || list[0].Refused["v"].Text != "no" ||
		list[1].RefusedTypes["listeners"].Text != "in use" || list[1].LastRefusal.Text != "in use" || list[2].LastRefusal.Text != "what" {
		t.Errorf("proxies %+v", list)
	}
	if len(r.Proxies(gw)) != 2 || changed[gw] != 5 || changed[other] != 2 {
		t.Errorf("%d proxies of gw, changes %v", len(r.Proxies(gw)), changed)
	}
	delete(list[0].Slots, "s")
	delete(list[0].Refused, "v")
	delete(list[1].RefusedTypes, "listeners")
	a.Refuse("v", "", now)
	b.RefuseType("listeners", "", now)
	if list := r.Proxies(gw); len(list[0].Slots) != 1 || len(list[0].Refused)+len(list[1].RefusedTypes) != 0 || list[1].LastRefusal == nil {
		t.Errorf("after taking refusals back: %+v", list)
	}
}

func TestWhatIsNotThereIsTakenBackInSilence(t *testing.T) {
	told := 0
	h := NewRegistry(Events{Changed: func(Change) { told++ }}).Connect("a", gw, "1.40.0", now)
	for i, step := range []struct {
		do   func()
		told int
	}{
		{func() { h.RefuseType("listeners", "", now) }, 0},
		{func() { h.Refuse("v", "", now) }, 0},
		{func() { h.RefuseType("listeners", "in use", now) }, 1},
		{func() { h.Refuse("v", "no", now) }, 1},
		{func() { h.RefuseType("routes", "", now) }, 0},
		{func() { h.RefuseType("listeners", "", now) }, 1},
		{func() { h.Refuse("v", "", now) }, 1},
		{func() { h.Refuse("v", "", now) }, 0},
	} {
		told = 0
		if step.do(); told != step.told {
			t.Errorf("step %d: told %d times, want %d", i, told, step.told)
		}
	}
}

func TestARegistryIsSafeForManyStreams(t *testing.T) {
	r := NewRegistry(Events{Runs: func(string) {}, Changed: func(Change) {}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			h := r.Connect(fmt.Sprint(i), gw, "", now)
			defer h.Disconnect()
			for n := range 100 {
				h.SetSlot(fmt.Sprint(n%5), Slot{Running: []string{fmt.Sprint(n % 3)}})
				r.Proxies(gw)
				r.Running("1")
			}
		})
	}
	wg.Wait()
	if len(r.running)+len(r.proxies) != 0 {
		t.Errorf("left behind: %v, %v", r.running, r.proxies)
	}
}
