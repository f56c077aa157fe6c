package server

import (
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// maxInFlight is how many slot responses of a stream may be unacknowledged. More would queue on Envoy's main thread, and
// an urgent change behind them (500 slots ahead: 4 s, measured).
const maxInFlight = 4

// maxBulkInFlight is the share of slots that changed with more than maxInFlight others: what changed alone has no more
// than this one before it on Envoy's main thread, and need not wait for an answer. conformance/wide measures it.
const maxBulkInFlight = 1

// slotTable is a session's state for slots and its prefetch lane.
type slotTable struct {
	s        *session
	slots    map[string]*slotState
	queue    queue
	lane     *lane
	known    *knowledge
	inflight int
	// bulk is how many of those in flight changed in bulk.
	bulk int
	// warming is how many slots were never answered: their listeners wait, and a refusal of any slot would end that.
	warming int
	// attempts is where the attempts of a slot begin: past those of all slots that were unsubscribed, because one may be asked
	// for again, and what it was sent before may have been refused. It stays 0, and the bytes shared, for who never did so.
	attempts int
	// foreign are the names of other gateways' slots that were asked for.
	foreign map[string]bool
}

// slotState is one real slot on one proxy.
type slotState struct {
	name string
	// presented is the version that a reconnected proxy said it holds; "" once that is settled.
	presented string
	// compared is the content that presented was compared with in vain.
	compared *build.Slot
	held     delivery.State
	version  string
	// warm tells that the proxy has some content.
	warm bool
	// attempt is the byte in which two sendings of the slot differ.
	attempt int
	// inflight tells that a response is unanswered. The answer queues the slot again, whether it changed meanwhile or not.
	inflight bool
	// bulk tells that the slot's last turn was among those of many.
	bulk bool
	// sending is the content of that response.
	sending []build.Choice
	// refusals in a row, and when the slot may be sent again after them.
	refusals  int
	notBefore time.Time
	refusal   *acks.Refusal
	// needs are the variants for whose way through the lane this slot waits.
	needs []string
	// siblings are the names of the other slots of its place; blocked tells that it keeps a plugin until one of them has it.
	siblings []string
	blocked  bool
}

func newSlotTable(s *session) *slotTable {
	t := &slotTable{s: s, slots: map[string]*slotState{}}
	t.known = newKnowledge(s.server.opts.WaitForModule, t.calm, s.server.opts.Now)
	t.lane = newLane(t)
	return t
}

// calm tells that a refusal harms no slot: none is warming, and no listener is under way that would bring one. The proxy
// asks for a new listener's slots before it acknowledges the listener.
func (t *slotTable) calm() bool {
	listeners := t.s.types.types[TypeListener]
	return t.warming == 0 && (listeners == nil || !listeners.inflight)
}

// changed queues changed slots; the fewer changed together, the sooner their turn. What has to go through the lane begins
// its way at once, also when the slot itself has to wait for its turn.
func (t *slotTable) changed(changed []string) {
	now := t.s.server.opts.Now()
	for _, name := range changed {
		st := t.slots[name]
		slot := t.s.group.Slot(name)
		if st == nil {
			continue
		}
		t.enqueue(st, len(changed))                                               // also one that is gone: it stays as it is on the proxy, but waits for nothing any more
		if slot != nil && !st.inflight && len(changed) > maxInFlight-t.inflight { // else it has its turn now
			t.lane.need(st, delivery.Decide(slot, st.held, t.known).Lanes, now)
		}
	}
}

func (t *slotTable) enqueue(st *slotState, width int) {
	if !st.inflight {
		t.queue.push(st.name, width)
	}
}

func (t *slotTable) subscribe(r *discoveryv3.DeltaDiscoveryRequest) {
	for _, n := range r.ResourceNamesUnsubscribe {
		if t.slots[n] != nil {
			t.forget(n)
			t.s.proxy.DropSlot(n)
		}
	}
	subscribed := r.ResourceNamesSubscribe
	for n := range r.InitialResourceVersions {
		if t.slots[n] == nil && !contains(subscribed, n) {
			subscribed = append(subscribed, n)
		}
	}
	for _, n := range subscribed {
		if t.slots[n] != nil && !t.slots[n].inflight {
			t.forget(n) // asked again while subscribed: the proxy dropped the content
		}
		if t.slots[n] == nil {
			p := t.s.fleet.place(n)
			st := &slotState{name: p.name, presented: r.InitialResourceVersions[n], siblings: p.siblings, attempt: t.attempts}
			t.slots[p.name] = st
			t.warming++
			t.enqueue(st, len(subscribed))
		}
	}
}

func (t *slotTable) forget(name string) {
	st := t.slots[name]
	t.lane.need(st, nil, time.Time{})
	delete(t.slots, name)
	t.attempts = max(t.attempts, st.attempt+1)
	if !st.warm {
		t.warming--
	}
	t.unblock(st)
}

// send evaluates queued slots and sends what may be sent, real slots before the lane.
func (t *slotTable) send(now time.Time) error {
	for _, name := range t.known.newlyOverdue(now) {
		t.lane.wake(name)
	}
	for t.inflight < maxInFlight {
		name, bulk, ok := t.queue.pop(now, t.bulk < maxBulkInFlight)
		if !ok {
			break
		}
		st := t.slots[name]
		if st == nil {
			continue
		}
		if now.Before(st.notBefore) {
			t.queue.postpone(name, st.notBefore)
			continue
		}
		st.bulk = bulk
		if err := t.evaluate(st, now); err != nil {
			return err
		}
	}
	t.lane.send(now)
	return nil
}

// evaluate decides on one slot and sends it if its content differs from what the proxy has.
func (t *slotTable) evaluate(st *slotState, now time.Time) error {
	slot := t.s.group.Slot(st.name)
	if slot == nil {
		// Not yet, not any more (its listener drains), or not ours: a removal would open or break the slot, so nothing is said.
		t.missing(st.name)
		t.lane.need(st, nil, now)
		t.unblock(st)
		return nil
	}
	if st.siblings == nil { // it came to be after it was asked for
		st.siblings = t.s.fleet.place(st.name).siblings
	}
	t.recognise(st, slot)
	d := delivery.Decide(slot, st.held, t.known)
	t.lane.need(st, d.Lanes, now)
	t.known.prune(t)
	if d.Wait {
		t.report(st, false)
		return nil
	}
	choices := t.keepLeaving(st, slot, d.Choices)
	version := build.Version(choices)
	if st.held.Held && st.version == version || st.blocked && !st.held.Held {
		t.report(st, d.Settled && !st.blocked)
		if !st.blocked { // two that wait for each other would wake each other for ever
			t.unblock(st)
		}
		return nil
	}
	return t.push(st, slot, choices, version)
}

// recognise finds out what a reconnected proxy holds from the version that it presented. If that succeeds, it is known to
// run all of it, and nothing is sent if it is what it shall hold.
func (t *slotTable) recognise(st *slotState, slot *build.Slot) {
	if st.presented == "" || st.compared == slot {
		return
	}
	choices, ok := delivery.Recognise(slot, st.presented)
	if !ok {
		st.compared = slot
		return
	}
	st.version, st.presented, st.compared = st.presented, "", nil
	t.acknowledged(st, choices, time.Time{})
}

// acknowledged notes that a slot holds the choices, as the proxy said now or (zero) some time ago. A variant of them need
// not go through the lane any more.
func (t *slotTable) acknowledged(st *slotState, choices []build.Choice, now time.Time) {
	st.held = delivery.State{Held: true, Choices: choices}
	if !st.warm {
		st.warm = true
		t.warming--
	}
	for _, c := range choices {
		if c.Variant != nil {
			t.known.proven(c.Variant, now)
			t.lane.proven(c.Variant, now)
		}
	}
}

// report tells the registry what the slot does.
func (t *slotTable) report(st *slotState, settled bool) {
	slot := acks.Slot{Version: st.version, Synced: settled && st.held.Held, Refusal: st.refusal}
	if st.held.Held {
		for _, c := range st.held.Choices {
			if c.Variant == nil {
				slot.Denied = append(slot.Denied, c.Plugin.String())
			} else {
				slot.Running = append(slot.Running, c.Variant.Hash)
			}
		}
	}
	t.s.proxy.SetSlot(st.name, slot)
}

func (t *slotTable) due() time.Time {
	if t.inflight >= maxInFlight {
		return t.known.due() // the next answer of the proxy comes first
	}
	return earliest(t.lane.due(), t.queue.due(), t.known.due())
}

func earliest(times ...time.Time) time.Time {
	var out time.Time
	for _, x := range times {
		if !x.IsZero() && (out.IsZero() || x.Before(out)) {
			out = x
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
