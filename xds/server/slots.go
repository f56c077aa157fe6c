package server

import (
	"net/url"
	"strconv"
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
	t.known = newKnowledge(s.server.opts.WaitForModule)
	t.lane = newLane(t)
	return t
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
		t.enqueue(st, len(changed)) // also one that is gone: it stays as it is on the proxy, but waits for nothing any more
		if slot != nil && !st.inflight {
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
			st := &slotState{name: n, presented: r.InitialResourceVersions[n], siblings: siblings(n)}
			t.slots[n] = st
			t.enqueue(st, len(subscribed))
		}
	}
}

func (t *slotTable) forget(name string) {
	st := t.slots[name]
	t.lane.need(st, nil, time.Time{})
	delete(t.slots, name)
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
	return t.lane.send(now)
}

// evaluate decides on one slot and sends it if its content differs from what the proxy has.
func (t *slotTable) evaluate(st *slotState, now time.Time) error {
	slot := t.s.group.Slot(st.name)
	if slot == nil {
		// Not yet, not any more (its listener drains), or not ours: a removal would open or break the slot, so nothing is said.
		t.s.log.Debug("proxy asks for a slot that its gateway does not have", "slot", st.name)
		t.lane.need(st, nil, now)
		t.unblock(st)
		return nil
	}
	t.recognise(st, slot)
	d := delivery.Decide(slot, st.held, t.known)
	t.lane.need(st, d.Lanes, now)
	t.known.prune(t.slots, t.s.proxy)
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
	t.acknowledged(st, choices)
}

// acknowledged notes that a slot holds the choices. A variant of them need not go through the lane any more.
func (t *slotTable) acknowledged(st *slotState, choices []build.Choice) {
	st.held = delivery.State{Held: true, Choices: choices}
	for _, c := range choices {
		if c.Variant != nil {
			t.known.proven(c.Variant)
			t.lane.proven(c.Variant)
		}
	}
}

func (t *slotTable) push(st *slotState, slot *build.Slot, choices []build.Choice, version string) error {
	body, err := build.Resource(st.name, slot.Network, choices, t.delivery(st.attempt))
	if err != nil {
		t.s.log.Error("slot cannot be built", "slot", st.name, "error", err)
		return nil
	}
	st.inflight, st.sending = true, choices
	t.inflight++
	bulk := 0
	if st.bulk {
		bulk = 1
	}
	t.bulk += bulk
	_, err = t.s.respond(t.s.stream, TypeExtensionConfig, []*discoveryv3.Resource{resource(st.name, version, body)}, nil, func(nack string) {
		t.inflight--
		t.bulk -= bulk
		st.inflight = false
		if t.slots[st.name] != st {
			return // unsubscribed meanwhile
		}
		if nack == "" {
			st.version, st.presented, st.compared = version, "", nil
			st.refusals, st.refusal = 0, nil
			t.acknowledged(st, choices)
			t.queue.push(st.name, 1) // settles it: reports, or goes on with what changed meanwhile
			t.unblock(st)
			return
		}
		t.refused(st, choices, nack)
	})
	return err
}

// refused handles the NACK of a real slot: what stands there stays, and every variant of the refused content goes through
// the lane again, which finds the one to blame.
func (t *slotTable) refused(st *slotState, choices []build.Choice, nack string) {
	now := t.s.server.opts.Now()
	st.attempt++
	st.refusals++
	st.refusal = &acks.Refusal{Text: nack, At: now}
	t.s.proxy.Nack(nack, now)
	t.known.doubt(choices)
	if st.refusals > 1 {
		st.notBefore = now.Add(min(time.Second<<min(st.refusals-2, 5), 30*time.Second))
	}
	t.report(st, false)
	t.queue.push(st.name, 1)
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

func (t *slotTable) delivery(attempt int) build.Delivery {
	o := t.s.server.opts
	return build.Delivery{
		Cluster: o.ModuleCluster,
		Attempt: attempt,
		ModuleURL: func(digest string) string {
			return o.ModuleURL(digest, url.Values{"proxy": {t.s.id}, "attempt": {strconv.Itoa(attempt)}})
		},
	}
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
