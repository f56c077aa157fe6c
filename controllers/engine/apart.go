package engine

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// narrow is how many places a change touches that goes to proxies by itself. What they are told together counts as one change
// there, and what changed in bulk waits behind what changed alone: so one Service's change of objects is not told together with
// a wide one, though both came while the loop was busy. What modules bring is told with the rest.
const narrow = 4

// applyApart takes a batch in, and notes its places if they are few.
func (e *Engine) applyApart(events []store.Event, moved []store.Ref) {
	before := e.dirty
	e.dirty = map[model.Scope]bool{}
	e.apply(events, moved)
	if len(e.dirty) <= narrow {
		maps.Copy(e.alone, e.dirty)
	}
	maps.Copy(e.dirty, before)
}

// applyChanges brings everything to the cache, in one step per gateway, or in two: what changed alone, and then what changed in
// bulk. Where a listener changes, all of it goes together.
func (e *Engine) applyChanges() {
	if len(e.alone) > 0 {
		for gateway, c := range e.changes {
			if first := e.takeAlone(gateway, c); len(first) > 0 {
				e.opts.Hub.Group(gateway).Apply(cache.Change{Slots: first})
			}
		}
		clear(e.alone)
	}
	for gateway, c := range e.changes {
		e.opts.Hub.Group(gateway).Apply(c.Change)
	}
	clear(e.changes)
}

// takeAlone takes the slots of narrow changes out of a wide one.
func (e *Engine) takeAlone(gateway types.NamespacedName, c *change) map[string]*build.Slot {
	first := map[string]*build.Slot{}
	for scope := range e.alone {
		if scope.Gateway != gateway {
			continue
		}
		for _, name := range slotNames(e.places[scope].Place) {
			if slot, is := c.Slots[name]; is {
				first[name] = slot
			}
		}
	}
	if len(c.Resources) > 0 || len(c.Slots)-len(first) <= narrow*len(model.Phases) {
		return nil // nothing wide
	}
	for name := range first {
		delete(c.Slots, name)
	}
	return first
}
