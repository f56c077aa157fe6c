package server

import (
	"slices"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// A plugin that moves between the slots of one place (another phase; another place in the row of network slots) has to be
// in the new slot before it leaves the old one: slots travel alone, so a request between the two responses would pass
// without it. For that moment it runs twice.

// siblings are the names of the other slots of a slot's place.
func siblings(slot string) []string {
	n, err := names.ParseSlot(slot)
	if err != nil || n.Kind == names.KindPrefetch {
		return nil
	}
	var out []string
	add := func(name string) {
		if name != slot {
			out = append(out, name)
		}
	}
	for _, phase := range model.Phases {
		add(names.Slot(n.Scope, phase))
	}
	for i := range model.NetworkSlots {
		add(names.NetworkSlot(n.Scope, i))
	}
	return out
}

// unblock lets the siblings decide again that keep a plugin for this slot.
func (t *slotTable) unblock(st *slotState) {
	for _, name := range st.siblings {
		if sibling := t.slots[name]; sibling != nil && sibling.blocked {
			t.enqueue(sibling, 1)
		}
	}
}

// keepLeaving adds to a slot's next content the plugins that a sibling is still to take over, and notes whether there are
// any.
func (t *slotTable) keepLeaving(st *slotState, slot *build.Slot, next []build.Choice) []build.Choice {
	st.blocked = false
	if !st.held.Held {
		// What a reconnected proxy holds here may be what a sibling lacks.
		st.blocked = st.presented != "" && t.someLacks(st)
		return next
	}
	var leaving []build.Choice
	for _, c := range st.held.Choices {
		if !stands(c.Plugin, next) && t.awaited(st, c.Plugin, len(slot.Entries) == 0) {
			leaving = append(leaving, c)
		}
	}
	st.blocked = len(leaving) > 0
	switch {
	case !slot.Network:
		return append(leaving, next...)
	case !st.blocked && len(slot.Entries)+len(st.held.Choices) > 0:
		return next
	case !st.blocked:
		return t.lend(st)
	case t.circle(st):
		if spare := t.spare(st); spare != nil {
			t.enqueue(spare, 1) // it lends itself
		} else {
			st.blocked = false // all four slots are full: for a moment one plugin of the circle is nowhere
			return next
		}
	}
	return leaving
}

// awaited tells that a sibling is to take a plugin over and has not done so. Unless this slot has only lent itself (lent),
// it is enough that some other sibling keeps the plugin.
func (t *slotTable) awaited(st *slotState, p model.Key, lent bool) bool {
	return t.taker(st, p) != nil && (lent || !t.kept(st, p))
}

// taker is the sibling that is to hold a plugin and does not yet.
func (t *slotTable) taker(st *slotState, p model.Key) *slotState {
	for _, name := range st.siblings {
		if sibling := t.slots[name]; sibling != nil && !sibling.keeps(p) && slices.Contains(t.wanted(sibling), p) {
			return sibling
		}
	}
	return nil
}

func (t *slotTable) kept(st *slotState, p model.Key) bool {
	return slices.ContainsFunc(st.siblings, func(name string) bool {
		sibling := t.slots[name]
		return sibling != nil && sibling.keeps(p)
	})
}

// keeps tells that the plugin stands in the slot, and in what is under way to it.
func (st *slotState) keeps(p model.Key) bool {
	_, has := st.held.Has(p)
	return has && (!st.inflight || stands(p, st.sending))
}

func stands(p model.Key, list []build.Choice) bool {
	return slices.ContainsFunc(list, func(c build.Choice) bool { return c.Plugin == p })
}

// wanted are the plugins that a slot is to hold, now or when their code is there. One that fails open is not among them
// once its time is over.
func (t *slotTable) wanted(st *slotState) []model.Key {
	slot := t.s.group.Slot(st.name)
	if slot == nil {
		return nil
	}
	d := delivery.Decide(slot, st.held, t.known)
	var out []model.Key
	for _, e := range slot.Entries {
		if d.Wait || stands(e.Plugin, d.Choices) || slices.Contains(d.Coming, e.Plugin) {
			out = append(out, e.Plugin)
		}
	}
	return out
}

// someLacks tells that a sibling whose content is known is still to take something in.
func (t *slotTable) someLacks(st *slotState) bool {
	for _, name := range st.siblings {
		sibling, slot := t.slots[name], t.s.group.Slot(name)
		if sibling == nil || slot == nil {
			continue
		}
		if t.recognise(sibling, slot); !sibling.held.Held {
			continue
		}
		for _, p := range t.wanted(sibling) {
			if !sibling.keeps(p) {
				return true
			}
		}
	}
	return false
}

// circle tells that a network slot waits for itself in the end: each slot holds one plugin, and each has to go where
// another one stands.
func (t *slotTable) circle(st *slotState) bool {
	at := st
	for range model.NetworkSlots {
		if len(at.held.Choices) != 1 || t.kept(at, at.held.Choices[0].Plugin) {
			return false
		}
		if at = t.taker(at, at.held.Choices[0].Plugin); at == nil || at == st {
			return at == st
		}
	}
	return false
}

// spare is an empty network slot that nothing is to stand in.
func (t *slotTable) spare(st *slotState) *slotState {
	for _, name := range st.siblings {
		sibling := t.slots[name]
		if slot := t.s.group.Slot(name); sibling != nil && slot != nil && slot.Network && len(slot.Entries) == 0 &&
			sibling.held.Held && len(sibling.held.Choices) == 0 {
			return sibling
		}
	}
	return nil
}

// lend makes an empty network slot take a plugin of a circle over, until its own slot is free.
func (t *slotTable) lend(st *slotState) []build.Choice {
	for _, name := range st.siblings {
		if sibling := t.slots[name]; sibling != nil && sibling.blocked && t.circle(sibling) {
			st.blocked = true
			return sibling.held.Choices
		}
	}
	return nil
}
