package server

import (
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// TypeExtensionConfig is the type URL of slots.
const TypeExtensionConfig = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"

// session is one stream of one proxy. It has no goroutine of its own but the stream's reader: the workers of the pool run it,
// one at a time.
type session struct {
	server *Server
	// id is the number as text, for logs and nonces; secret names the session in the addresses of its lane's modules alone. It stands
	// nowhere that another tenant might see: neither in a log nor in a name that Envoy repeats when it refuses something.
	id, secret string
	gateway    types.NamespacedName
	group      *cache.Group
	fleet      *fleet
	stream     deltaStream
	proxy      *acks.Handle
	log        *slog.Logger
	// number, node and peer find the session of a prefetch lane's stream; epoch stands in what the session sends.
	number            uint64
	node, peer, epoch string
	// only is the slot that the stream is for, "" if it is for all of the proxy's.
	only string
	// laneConn is the prefetch lane that it has. It belongs to the server's lock.
	laneConn *laneConn
	inbox    inbox
	// queued belongs to the pool.
	queued bool

	// mu is held by the one who runs the session. What follows is its.
	mu   sync.Mutex
	over bool
	// pausedAt is when the gate was found shut, zero while it is open.
	pausedAt time.Time
	nonce    uint64
	types    *typeTable
	slots    *slotTable
	inWork   map[string]pending
	// unacked is how many bytes of the main stream are not acknowledged.
	unacked int
	outbox  outbox
	timer   *time.Timer
	timerAt time.Time
}

// pending is a response without an answer.
type pending struct {
	answer func(nack string)
	size   int
}

// work is what is left for a session: a message of its proxy, a change of its gateway's content, or something else.
type work struct {
	request *discoveryv3.DeltaDiscoveryRequest
	// lane is a message of the prefetch lane's stream.
	lane   *discoveryv3.DeltaDiscoveryRequest
	update *cache.Update
	do     func()
}

// inbox is the work that others leave for a session.
type inbox struct {
	mu   sync.Mutex
	work []work
	// poked tells that something may be due, though there is no work: else a wake-up that meets a running session is lost.
	poked bool
}

// poke has the session look what is due.
func (s *session) poke() {
	s.inbox.mu.Lock()
	s.inbox.poked = true
	s.inbox.mu.Unlock()
	s.server.pool.ready(s)
}

// maxWaiting is how much work may wait before the reader of the stream waits as well.
const maxWaiting = 100

func (b *inbox) add(w work) (waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.work = append(b.work, w)
	return len(b.work)
}

func (b *inbox) take() (w []work, poked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, poked = b.work, b.poked
	b.work, b.poked = nil, false
	return w, poked
}

func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.work) == 0 && !b.poked
}

func newSession(s *Server, id string, gateway types.NamespacedName, stream deltaStream, proxy *acks.Handle) *session {
	sess := &session{
		server: s, id: id, secret: rand.Text(), gateway: gateway, group: s.opts.Hub.Group(gateway), stream: stream, proxy: proxy,
		log:    s.opts.Logger.With("gateway", gateway.String(), "stream", id),
		inWork: map[string]pending{}, outbox: outbox{stream: stream},
	}
	sess.types = newTypeTable(sess)
	sess.slots = newSlotTable(sess)
	return sess
}

// do has work done by a worker: readers of streams, of which there are thousands, keep small stacks.
func (s *session) do(w work) {
	if s.inbox.add(w) < maxWaiting {
		s.server.pool.ready(s)
		return
	}
	s.mu.Lock() // a proxy that sends faster than it can be answered waits here
	err := s.step()
	s.mu.Unlock()
	if err == nil {
		s.run()
	}
}

// leave has work done and never waits, for those who hold the server's lock.
func (s *session) leave(w work) {
	s.inbox.add(w)
	s.server.pool.ready(s)
}

func (s *session) served(f fetch) {
	s.do(work{do: func() { s.slots.lane.served(f, s.server.opts.Now()) }})
}

type fetch struct {
	digest   string
	complete bool
}

// serve reads the stream until it ends.
func (s *session) serve(first *discoveryv3.DeltaDiscoveryRequest) error {
	defer s.end()
	names := asked{gateway: s.gateway, group: s.group}
	for r := first; ; {
		if err := names.take(r); err != nil {
			s.log.Warn("stream ended", "error", err)
			return err
		}
		s.do(work{request: r})
		var err error
		if r, err = s.stream.Recv(); err != nil {
			return err
		}
	}
}

func (s *session) end() {
	s.mu.Lock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.outbox.wait()
}

// run does what is left in the inbox and what is due, unless somebody else is at it: he looks into the inbox again. What came
// meanwhile has to queue: a client that sends without a pause is not to keep its worker.
func (s *session) run() {
	if !s.mu.TryLock() {
		return
	}
	err := s.step()
	s.mu.Unlock()
	if err == nil && !s.inbox.empty() { // an error: the stream is broken, which its reader sees as well
		s.server.pool.ready(s)
	}
}

// step does the work in the inbox, sends what can be sent, and sets the timer for what is due later.
func (s *session) step() error {
	list, poked := s.inbox.take()
	if s.over {
		return nil
	}
	if poked {
		s.timerAt = time.Time{} // the timer may have fired
	}
	for _, w := range list {
		switch {
		case w.request != nil:
			s.request(w.request)
		case w.lane != nil:
			s.answered(w.lane, true)
		case w.update != nil:
			s.types.changed(w.update.Types)
			s.slots.changed(w.update.Slots)
		default:
			w.do()
		}
	}
	now := s.server.opts.Now()
	if s.paused(now) {
		return nil // opening the gate wakes it
	}
	if err := s.types.send(now); err != nil {
		return err
	}
	if err := s.slots.send(now); err != nil {
		return err
	}
	s.wakeAt(earliest(s.types.due(), s.slots.due()), now)
	return nil
}

// wakeAt sets the timer, unless it will fire before (and find nothing to do).
func (s *session) wakeAt(due, now time.Time) {
	if due.IsZero() || !s.timerAt.IsZero() && !due.Before(s.timerAt) {
		return
	}
	wait := max(due.Sub(now), time.Millisecond)
	s.timerAt = now.Add(wait)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.poke)
		return
	}
	s.timer.Reset(wait)
}

// request handles one message of the proxy: an acknowledgement or refusal, a change of subscription, or both.
func (s *session) request(r *discoveryv3.DeltaDiscoveryRequest) {
	s.answered(r, false)
	if r.TypeUrl == TypeExtensionConfig {
		s.slots.subscribe(r)
		return
	}
	s.types.subscribe(r)
}

// answered does what the acknowledgement or refusal of a response does.
func (s *session) answered(r *discoveryv3.DeltaDiscoveryRequest, lane bool) {
	p, ok := s.inWork[r.ResponseNonce]
	if !ok {
		return
	}
	delete(s.inWork, r.ResponseNonce)
	s.unacked -= p.size
	nack := ""
	if r.ErrorDetail != nil {
		nack = r.ErrorDetail.Message
		if nack == "" {
			nack = "refused without a text"
		}
		s.server.opts.Hooks.refused(r.TypeUrl, lane)
		s.log.Debug("proxy refused a response", "type", r.TypeUrl, "error", nack)
	}
	p.answer(nack)
}

// await gives a response its nonce and remembers what its answer does.
func (s *session) await(size int, answer func(nack string)) (nonce string) {
	s.nonce++
	nonce = strconv.FormatUint(s.nonce, 10)
	s.inWork[nonce] = pending{answer, size}
	return nonce
}

// awaitLane does so for a response in the lane. Its answer may come when another session has taken the lane over, for which
// it is nothing.
func (s *session) awaitLane(answer func(nack string)) (nonce string) {
	s.nonce++
	nonce = "lane-" + s.id + "-" + strconv.FormatUint(s.nonce, 10)
	s.inWork[nonce] = pending{answer, 0}
	return nonce
}

// respond sends a response of the main stream.
func (s *session) respond(r *discoveryv3.DeltaDiscoveryResponse, answer func(nack string)) error {
	before, size := s.unacked, proto.Size(r)
	s.unacked += size
	r.Nonce = s.await(size, answer)
	s.server.opts.Hooks.pushed(r.TypeUrl, false)
	return s.outbox.send(r, before)
}

// respondShared sends a slot's response, which other proxies may be sent as well.
func (s *session) respondShared(r *shared, answer func(nack string)) error {
	before := s.unacked
	s.unacked += len(r.bytes)
	s.server.opts.Hooks.pushed(TypeExtensionConfig, false)
	return s.outbox.send(&frame{shared: r, nonce: s.await(len(r.bytes), answer)}, before)
}

func resource(name, version string, body *anypb.Any) *discoveryv3.Resource {
	return &discoveryv3.Resource{Name: name, Version: version, Resource: body}
}
