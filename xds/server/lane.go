package server

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/delivery"
)

// laneIdle is how long the lane keeps its last plugin before it is emptied, so that the plugin's VM does not outlive its
// use. Long enough for the real slots to take the VM over.
const laneIdle = 5 * time.Second

// emptyVersion is the version of an empty lane.
const emptyVersion = "empty"

// lane is the prefetch slot of one proxy and the variants that go through it. One is enough: it is busy only from a push
// to its answer, while fetches go on in the proxy side by side.
type lane struct {
	t *slotTable
	// conn is the lane's own stream, nil while the proxy has none open.
	conn *laneConn
	// wanted are the variants that slots wait for.
	wanted map[string]*want
	order  uint64
	// attempt makes every push differ in a byte from all before.
	attempt  int
	inflight bool
	// nonce is of the response under way; its answer may never come when the stream ends.
	nonce  string
	filled bool
	// greet tells that the stream is new: its slot is answered at once with an empty chain, so that its listener warms. One that
	// comes back with the empty chain has warmed long ago.
	greet     bool
	idleSince time.Time
}

type want struct {
	job   *delivery.Job
	slots map[string]bool
	order uint64
}

// laneConn is the stream of a prefetch slot.
type laneConn struct {
	name       string
	stream     deltaStream
	gateway    types.NamespacedName
	node, peer string
	// slot is the only slot for which it is, "" if it is for all of the proxy's main stream.
	slot string
	// presented is the version that the proxy already has of the slot when it opens the stream.
	presented string
	// number orders lanes and sessions by their age.
	number uint64
	// session is the one that uses it, nil while none is there. The server's lock is held to change it.
	session atomic.Pointer[session]
	// mu is held while something is written: a lane may change its session meanwhile.
	mu sync.Mutex
}

func newLane(t *slotTable) *lane { return &lane{t: t, wanted: map[string]*want{}} }

// attach takes a newly opened stream.
func (l *lane) attach(c *laneConn) {
	if l.conn != nil {
		l.detach(l.conn)
	}
	l.conn, l.greet = c, c.presented != emptyVersion
	c.presented = "" // it is of this moment
}

func (l *lane) detach(c *laneConn) {
	if l.conn == c {
		l.conn, l.inflight = nil, false
		delete(l.t.s.inWork, l.nonce)
	}
}

// need replaces what a slot waits for.
func (l *lane) need(st *slotState, variants []*build.Variant, now time.Time) {
	hashes := make([]string, 0, len(variants))
	for _, v := range variants {
		w := l.wanted[v.Hash]
		if w == nil {
			l.order++
			w = &want{job: delivery.NewJob(v, l.t.known.code(v.Digest, now)), slots: map[string]bool{}, order: l.order}
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

func (l *lane) release(hash, slot string) {
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
}

// wake lets the slots that wait for a variant decide again.
func (l *lane) wake(hash string) {
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

func (l *lane) served(f fetch, now time.Time) {
	for _, w := range l.wanted {
		if w.job.Variant.Digest == f.digest {
			w.job.Served(f.complete, now)
		}
	}
}

// send pushes the variant whose turn it is, or empties a lane that nobody used for a while.
func (l *lane) send(now time.Time) {
	if l.conn == nil || l.inflight {
		return
	}
	if l.greet {
		l.greet = false
		l.push(nil, now)
		return
	}
	if w := l.next(now); w != nil {
		l.push(w.job, now)
		return
	}
	if l.filled && len(l.wanted) == 0 && !now.Before(l.idleSince.Add(laneIdle)) {
		l.push(nil, now)
	}
}

// next is the variant that was asked for last among those that are due: what changes now goes before what is being
// worked off. Each fourth time it is the one that waited longest, which changes without a pause must not keep back.
func (l *lane) next(now time.Time) *want {
	oldest := l.attempt%4 == 3
	var next *want
	for _, w := range l.wanted {
		if !now.Before(w.job.RetryAt) && (next == nil || w.order > next.order != oldest) {
			next = w
		}
	}
	return next
}

func (l *lane) push(job *delivery.Job, now time.Time) {
	var choices []build.Choice
	version := emptyVersion
	l.attempt++
	if job != nil {
		choices = []build.Choice{{Plugin: job.Variant.Plugin, Variant: job.Variant}}
		version = fmt.Sprintf("%s-%d", job.Variant.Hash, l.attempt)
	}
	// The lane is always an HTTP slot: Envoy's code cache is one for the whole process, and a network plugin's module loads
	// in an HTTP filter that takes no traffic as well.
	conn := l.conn
	body, err := build.Resource(conn.name, false, choices, l.t.laneDelivery(l.attempt))
	if err != nil { // the session goes on: others' variants and its timers are not to wait for this one
		l.t.s.log.Error("plugin cannot be built", "slot", conn.name, "version", version, "error", err)
		if l.idleSince = now; job != nil {
			job.Unbuilt(now)
		}
		return
	}
	if job != nil {
		job.Pushed()
	}
	l.inflight, l.filled = true, job != nil
	l.nonce = l.t.s.awaitLane(func(nack string) {
		l.inflight = false
		if job != nil {
			l.answered(job, nack)
		}
	})
	// One response at a time is under way in a lane, so this does not wait for the client.
	l.t.s.server.opts.Hooks.pushed(TypeExtensionConfig, true)
	if conn.send(l.t.s, &discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: TypeExtensionConfig, Nonce: l.nonce, Resources: []*discoveryv3.Resource{resource(conn.name, version, body)},
	}) != nil {
		l.detach(conn) // it is broken, which its reader sees as well, or another session's
	}
}

// answered handles the lane's ACK or NACK.
func (l *lane) answered(job *delivery.Job, nack string) {
	now := l.t.s.server.opts.Now()
	hash := job.Variant.Hash
	l.idleSince = now
	if nack == "" {
		l.t.known.proven(job.Variant, now)
		l.proven(job.Variant, now)
		return
	}
	switch job.Refused(now) {
	case delivery.Fetching:
	case delivery.Unfetched:
		l.t.s.proxy.Refuse(hash, "the proxy was not seen to fetch the module: "+nack, now)
	case delivery.Doubtful:
		l.t.s.proxy.Refuse(hash, nack, now)
	case delivery.Final:
		l.t.s.log.Warn("proxy refuses a plugin", "plugin", job.Variant.Plugin.String(), "generation", job.Variant.Generation, "error", nack)
		l.t.known.bad[hash] = true
		l.t.s.proxy.Refuse(hash, nack, now)
		l.finish(hash)
	}
}

// proven ends the way of a variant that the proxy took, here or in a slot. If it did so now, its module is in the proxy, so
// what another variant of it is refused for is not that. One that it took some time ago (zero) it may have dropped since.
func (l *lane) proven(v *build.Variant, now time.Time) {
	if l.wanted[v.Hash] != nil {
		l.t.s.proxy.Refuse(v.Hash, "", time.Time{})
		l.finish(v.Hash)
	}
	if v.Digest != "" && !now.IsZero() {
		l.served(fetch{v.Digest, true}, now)
	}
}

// finish ends a variant's way and lets the waiting slots go on.
func (l *lane) finish(hash string) {
	l.wake(hash)
	delete(l.wanted, hash)
	l.t.known.forget(hash)
}

func (l *lane) due() time.Time {
	if l.conn == nil || l.inflight {
		return time.Time{}
	}
	var due time.Time
	for _, w := range l.wanted {
		due = earliest(due, w.job.RetryAt)
	}
	if l.filled && len(l.wanted) == 0 {
		due = l.idleSince.Add(laneIdle)
	}
	return due
}
