package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func TestANarrowChangeIsNotToldWithAWideOneThatCameInTheSameTurn(t *testing.T) {
	for _, wideFirst := range []bool{true, false} {
		w := newWorld(t)
		gw := ingress("gw")
		gw.Spec.Listeners = nil
		for _, p := range []int32{80, 81, 82, 83, 84, 85} {
			gw.Spec.Listeners = append(gw.Spec.Listeners, listener(fmt.Sprint("l", p), p, "HTTP"))
		}
		at := func(name string, generation int64, config string, ports ...int32) *model.Plugin {
			p := plugin(name, one, generation, target)
			p.Wasm.Config = []byte(config)
			if len(ports) > 0 {
				p.Match = []model.TrafficSelector{{Ports: ports}}
			}
			return p
		}
		w.apply(gw, at("wide", 1, "{}"), at("alone", 1, "{}", 80))
		w.module(one, "d1", "")
		seen := &watcher{}
		defer w.hub.Group(named2("gw")).Watch(seen)()
		edits := []any{at("wide", 2, `{"a":2}`), at("alone", 2, `{"a":2}`, 80)}
		if !wideFirst {
			slices.Reverse(edits)
		}
		for _, o := range edits {
			w.Apply(events(o), w.network, nil, nil)
		}
		w.turn()
		var widths []int
		for _, u := range seen.updates {
			widths = append(widths, len(u.Slots))
		}
		slices.Sort(widths)
		if !slices.Equal(widths, []int{1, 5}) {
			t.Errorf("wide first %v: proxies are told of %v slots together, want 1 and 5", wideFirst, widths)
		}
	}
}
