package server

import (
	"fmt"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// laneIdle is how long a lane keeps its last plugin before it is emptied, so that the plugin's VM does not outlive its
// use. Long enough for the real slots to take the VM over.
const laneIdle = 5 * time.Second

// lanes are the prefetch slots of one proxy and the variants that go through them.
type lanes struct {
	t     *slotTable
	lanes map[string]*lane
	// wanted are the variants that slots wait for, with those slots' names, in the order in which they were asked for.
	wanted map[string]*want
	order  uint64
	// attempt is shared by all lanes of the stream: no two pushes are equal.
	attempt int
}

type want struct {
	variant *build.Variant
	slots   map[string]bool
	order   uint64
	lane    *lane
}

type lane struct {
	name     string
	job      *delivery.Job
	inflight bool
	// filled tells that the lane holds a plugin since then.
	filled    bool
	idleSince time.Time
	answered  bool
}

func newLanes(t *slotTable) *lanes {
	return &lanes{t: t, lanes: map[string]*lane{}, wanted: map[string]*want{}}
}

func (l *lanes) add(name string) {
	l.drop(name)
	l.lanes[name] = &lane{name: name}
}

func (l *lanes) drop(name string) {
	if ln := l.lanes[name]; ln != nil {
		if ln.job != nil {
			if w := l.wanted[ln.job.Variant.Hash]; w != nil {
				w.lane = nil
			}
		}
		delete(l.lanes, name)
	}
}

// need replaces what a slot waits for.
func (l *lanes) need(st *slotState, variants []*build.Variant, now time.Time) {
	hashes := make([]string, 0, len(variants))
	for _, v := range variants {
		w := l.wanted[v.Hash]
		if w == nil {
			l.order++
			w = &want{variant: v, slots: map[string]bool{}, order: l.order}
			l.wanted[v.Hash] = w
			l.t.known.asked(v.Hash, now)
		}
		w.slots[st.name] = true
		hashes = append(hashes, v.Hash)
	}
	old := st.needs
	st.needs = hashes
	for _, h := range old {
		if !contains(hashes, h) {
			l.release(h, st.name)
		}
	}
}

func (l *lanes) unneed(st *slotState) { l.need(st, nil, time.Time{}) }

func (l *lanes) release(hash, slot string) {
	w := l.wanted[hash]
	if w == nil {
		return
	}
	delete(w.slots, slot)
	if len(w.slots) > 0 {
		return
	}
	delete(l.wanted, hash)
	l.t.known.forget(hash)
	if !l.t.known.bad[hash] {
		l.t.s.proxy.Refuse(hash, "", time.Time{})
	}
	if w.lane != nil && !w.lane.inflight {
		w.lane.job = nil
	}
}

// wake lets the slots that wait for a variant decide again.
func (l *lanes) wake(hash string) {
	w := l.wanted[hash]
	if w == nil {
		return
	}
	for _, name := range sortedKeys(w.slots) {
		if st := l.t.slots[name]; st != nil {
			l.t.enqueue(st, len(w.slots))
		}
	}
}

func (l *lanes) served(f fetch, now time.Time) {
	for _, ln := range l.lanes {
		if ln.job != nil && ln.job.Variant.Digest == f.digest {
			ln.job.Served(f.complete, now)
		}
	}
}

// send gives free lanes work and pushes what is due.
func (l *lanes) send(now time.Time) error {
	inflight := 0
	for _, ln := range l.lanes {
		if ln.inflight {
			inflight++
		}
	}
	for _, name := range sortedKeys(l.lanes) {
		ln := l.lanes[name]
		if ln.inflight || l.t.inflight >= maxInFlight {
			continue
		}
		if !ln.answered { // an explicit empty chain first: every subscribed slot is answered
			if err := l.push(ln, nil, now); err != nil {
				return err
			}
			continue
		}
		if inflight >= maxLanesInFlight {
			continue
		}
		if ln.job != nil && l.wanted[ln.job.Variant.Hash] == nil {
			ln.job = nil
		}
		if ln.job == nil {
			ln.job = l.nextJob(ln)
		}
		switch {
		case ln.job != nil:
			if now.Before(ln.job.RetryAt) {
				continue
			}
			if err := l.push(ln, ln.job, now); err != nil {
				return err
			}
			inflight++
		case ln.filled && !now.Before(ln.idleSince.Add(laneIdle)):
			if err := l.push(ln, nil, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextJob picks the variant that was asked for first and is in no lane.
func (l *lanes) nextJob(ln *lane) *delivery.Job {
	var next *want
	for _, w := range l.wanted {
		if w.lane == nil && !l.t.known.good[w.variant.Hash] && !l.t.known.bad[w.variant.Hash] && (next == nil || w.order < next.order) {
			next = w
		}
	}
	if next == nil {
		return nil
	}
	next.lane = ln
	return delivery.NewJob(next.variant, l.t.known.modules[next.variant.Digest], 0)
}

func (l *lanes) push(ln *lane, job *delivery.Job, now time.Time) error {
	var choices []build.Choice
	version := "empty"
	l.attempt++
	if job != nil {
		choices = []build.Choice{{Plugin: job.Variant.Plugin, Variant: job.Variant}}
		version = fmt.Sprintf("%s-%d", job.Variant.Hash, l.attempt)
		job.Pushed()
	}
	// A lane is always an HTTP slot: Envoy's code cache is one for the whole process, and a network plugin's module loads
	// in an HTTP filter that takes no traffic as well.
	body, err := build.Resource(ln.name, false, choices, l.t.delivery(l.attempt))
	if err != nil {
		return err
	}
	ln.inflight, ln.filled = true, job != nil
	l.t.inflight++
	return l.t.s.respond(TypeExtensionConfig, []*discoveryv3.Resource{resource(ln.name, version, body)}, nil, func(nack string) {
		l.t.inflight--
		ln.inflight, ln.answered = false, true
		if job != nil {
			l.answered(ln, job, nack)
		}
	})
}

// answered handles a lane's ACK or NACK.
func (l *lanes) answered(ln *lane, job *delivery.Job, nack string) {
	now := l.t.s.server.opts.Now()
	hash := job.Variant.Hash
	ln.idleSince = now
	if nack == "" {
		l.t.known.proven(job.Variant)
		l.t.s.proxy.Refuse(hash, "", now)
		l.finish(ln, hash)
		return
	}
	switch job.Refused(now) {
	case delivery.Fetching:
	case delivery.Unfetched:
		l.t.s.proxy.Refuse(hash, "the proxy has not fetched the module: "+nack, now)
	case delivery.Doubtful:
		l.t.s.proxy.Refuse(hash, nack, now)
	case delivery.Final:
		l.t.s.log.Warn("proxy refuses a plugin", "plugin", job.Variant.Plugin.String(), "generation", job.Variant.Generation, "error", nack)
		l.t.known.bad[hash] = true
		l.t.s.proxy.Refuse(hash, nack, now)
		l.finish(ln, hash)
	}
}

// finish frees a lane and lets the waiting slots go on.
func (l *lanes) finish(ln *lane, hash string) {
	if ln.job != nil && ln.job.Variant.Hash == hash {
		ln.job = nil
	}
	l.wake(hash)
	if w := l.wanted[hash]; w != nil {
		w.lane = nil
	}
}

func (l *lanes) due() time.Time {
	if l.t.inflight >= maxInFlight {
		return time.Time{} // the next answer of the proxy comes first
	}
	var times []time.Time
	for _, ln := range l.lanes {
		if ln.inflight {
			continue
		}
		if ln.job != nil {
			times = append(times, ln.job.RetryAt)
		} else if ln.filled {
			times = append(times, ln.idleSince.Add(laneIdle))
		}
	}
	return earliest(times...)
}
