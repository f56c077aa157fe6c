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
		if !stands(c.Plugin, next) && t.taker(st, c.Plugin, true) != nil && !t.kept(st, c.Plugin) {
			leaving = append(leaving, c)
		}
	}
	if !slot.Network {
		st.blocked = len(leaving) > 0
		return append(leaving, next...)
	}
	switch {
	case t.closed(st) && !slices.ContainsFunc(leaving, func(c build.Choice) bool { return t.taker(st, c.Plugin, false) == nil }):
		return next // no connection passes until the takers, which can take it at once, have done so
	case st.denies() && t.unfinished(st):
		leaving = st.held.Choices
	case len(leaving) > 0 && t.circle(st):
		leaving = []build.Choice{{Plugin: leaving[0].Plugin}}
	case len(leaving) == 0:
		return next
	}
	st.blocked = true
	return leaving
}

// A network slot holds one plugin, so slots that rotate wait for each other in a circle. Then one of them refuses all
// connections, which lets the others change, until they have what they shall hold: a round trip, and never open.

// denies tells that the slot holds a network plugin's error, and nothing else is under way to it.
func (st *slotState) denies() bool {
	deny := func(list []build.Choice) bool { return len(list) == 1 && list[0].Variant == nil }
	return st.held.Held && deny(st.held.Choices) && (!st.inflight || deny(st.sending))
}

// closed tells that another network slot refuses all connections.
func (t *slotTable) closed(st *slotState) bool {
	return t.anyNetwork(st, (*slotState).denies)
}

// unfinished tells that another network slot is still to take in what it can take at once.
func (t *slotTable) unfinished(st *slotState) bool {
	return t.anyNetwork(st, func(sibling *slotState) bool {
		return sibling.held.Held && slices.ContainsFunc(t.wanted(sibling, false), func(p model.Key) bool { return !sibling.keeps(p) })
	})
}

func (t *slotTable) anyNetwork(st *slotState, is func(*slotState) bool) bool {
	return slices.ContainsFunc(st.siblings, func(name string) bool {
		sibling, slot := t.slots[name], t.s.group.Slot(name)
		return sibling != nil && slot != nil && slot.Network && is(sibling)
	})
}

// circle tells that a network slot waits for itself in the end: each slot's one plugin could go at once where the next
// one's stands.
func (t *slotTable) circle(st *slotState) bool {
	at := st
	for range model.NetworkSlots {
		if at.inflight || len(at.held.Choices) != 1 || t.kept(at, at.held.Choices[0].Plugin) {
			return false
		}
		if at = t.taker(at, at.held.Choices[0].Plugin, false); at == nil || at == st {
			return at == st
		}
	}
	return false
}

// taker is the sibling that is to hold a plugin, now or, if coming, when its code is there, and does not yet.
func (t *slotTable) taker(st *slotState, p model.Key, coming bool) *slotState {
	for _, name := range st.siblings {
		if sibling := t.slots[name]; sibling != nil && !sibling.keeps(p) && slices.Contains(t.wanted(sibling, coming), p) {
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

// wanted are the plugins that a slot is to hold now, or, if coming, when their code is there. One that fails open is not
// among them once its time is over.
func (t *slotTable) wanted(st *slotState, coming bool) []model.Key {
	slot := t.s.group.Slot(st.name)
	if slot == nil {
		return nil
	}
	d := delivery.Decide(slot, st.held, t.known)
	var out []model.Key
	for _, e := range slot.Entries {
		if d.Wait && coming || !d.Wait && stands(e.Plugin, d.Choices) || coming && slices.Contains(d.Coming, e.Plugin) {
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
		for _, p := range t.wanted(sibling, true) {
			if !sibling.keeps(p) {
				return true
			}
		}
	}
	return false
}
