package server

import (
	"net/url"
	"strconv"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

func (t *slotTable) push(st *slotState, slot *build.Slot, choices []build.Choice, version string) error {
	r, err := t.s.fleet.response(frameKey{st.name, version, t.s.epoch, st.attempt}, slot.Network, choices, t.delivery(st.attempt))
	if err != nil {
		t.s.log.Error("slot cannot be built", "slot", st.name, "error", err)
		return nil
	}
	st.inflight, st.sending = true, choices
	direct := t.unproven(st, choices)
	t.inflight++
	bulk := 0
	if st.bulk {
		bulk = 1
	}
	t.bulk += bulk
	return t.s.respondShared(r, func(nack string) {
		t.inflight--
		t.bulk -= bulk
		st.inflight = false
		if t.slots[st.name] != st {
			return // unsubscribed meanwhile
		}
		if nack == "" {
			st.version, st.presented, st.compared = version, "", nil
			st.refusals, st.refusal = 0, nil
			t.acknowledged(st, choices, t.s.server.opts.Now())
			if t.s.server.shut.Load() { // its turn, which reports as well, comes when the gate opens
				t.report(st, false)
			}
			t.queue.push(st.name, 1) // settles it: reports, or goes on with what changed meanwhile
			t.unblock(st)
			return
		}
		t.refused(st, choices, direct, nack)
	})
}

// unproven are the variants that go straight into the slot, without having been in the lane.
func (t *slotTable) unproven(st *slotState, choices []build.Choice) []*build.Variant {
	var out []*build.Variant
	for _, c := range choices {
		if c.Variant == nil || t.known.Good(c.Variant.Hash) {
			continue
		}
		if held, ok := st.held.Has(c.Plugin); !ok || held.Variant == nil || held.Variant.Hash != c.Variant.Hash {
			out = append(out, c.Variant)
		}
	}
	return out
}

// refused handles the NACK of a real slot: what stands there stays, and the lane finds the one to blame. That is one of
// those that came straight; if all had been proven, any of them.
func (t *slotTable) refused(st *slotState, choices []build.Choice, direct []*build.Variant, nack string) {
	now := t.s.server.opts.Now()
	st.attempt++
	st.refusal = &acks.Refusal{Text: nack, At: now}
	t.s.proxy.Nack(nack, now)
	if len(direct) > 0 {
		t.suspect(st, direct, nack, now)
		t.report(st, false)
		t.queue.push(st.name, 1) // the others' changes need not wait: next comes other content
		return
	}
	st.refusals++
	t.known.doubt(choices)
	if st.refusals > 1 {
		st.notBefore = now.Add(min(time.Second<<min(st.refusals-2, 5), 30*time.Second))
	}
	t.report(st, false)
	t.queue.push(st.name, 1)
}

// suspect sends variants that a slot refused on their way through the lane.
func (t *slotTable) suspect(st *slotState, direct []*build.Variant, nack string, now time.Time) {
	for _, v := range direct {
		t.known.suspect[v.Hash] = true
	}
	slot := t.s.group.Slot(st.name)
	if slot == nil {
		return
	}
	t.lane.need(st, delivery.Decide(slot, st.held, t.known).Lanes, now)
	if v := direct[0]; len(direct) == 1 && t.lane.wanted[v.Hash] != nil {
		t.s.proxy.Refuse(v.Hash, nack, now) // taken back if the lane finds otherwise
	}
}

// delivery is how code comes into a real slot. It is the same for all proxies that connected for the same time, and differs
// from what the proxy was sent before.
func (t *slotTable) delivery(attempt int) build.Delivery {
	return t.deliverWith(attempt, t.s.epoch, "epoch", t.s.epoch)
}

// laneDelivery is how code comes into the lane: the address names the session, so that the module server can tell whose fetch
// ended.
func (t *slotTable) laneDelivery(attempt int) build.Delivery {
	return t.deliverWith(attempt, t.s.id, QueryProxy, t.s.secret)
}

func (t *slotTable) deliverWith(attempt int, epoch, key, value string) build.Delivery {
	o := t.s.server.opts
	return build.Delivery{
		Cluster: o.ModuleCluster,
		Attempt: attempt,
		Epoch:   epoch,
		ModuleURL: func(digest string) string {
			return o.ModuleURL(digest, url.Values{key: {value}, "attempt": {strconv.Itoa(attempt)}})
		},
	}
}
