package server

import (
	"log/slog"
	"strconv"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// TypeExtensionConfig is the type URL of slots.
const TypeExtensionConfig = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"

// session is one stream of one proxy. Everything but the inbox belongs to the goroutine of run.
type session struct {
	server  *Server
	id      string
	gateway types.NamespacedName
	group   *cache.Group
	stream  deltaStream
	proxy   *acks.Handle
	log     *slog.Logger
	// number, node and peer find the session of a prefetch lane's stream.
	number     uint64
	node, peer string
	ended      chan struct{}

	nonce  uint64
	types  *typeTable
	slots  *slotTable
	inbox  inbox
	inWork map[string]func(nack string) // by nonce: what an answer to that response does
}

// inbox is the work that other goroutines leave for a session.
type inbox struct {
	mu   sync.Mutex
	wake chan struct{}
	work []func() error
}

func newSession(s *Server, id string, gateway types.NamespacedName, stream deltaStream, proxy *acks.Handle) *session {
	sess := &session{
		server: s, id: id, gateway: gateway, group: s.opts.Hub.Group(gateway), stream: stream, proxy: proxy,
		log:    s.opts.Logger.With("gateway", gateway.String(), "stream", id),
		inbox:  inbox{wake: make(chan struct{}, 1)},
		inWork: map[string]func(string){}, ended: make(chan struct{}),
	}
	sess.types = newTypeTable(sess)
	sess.slots = newSlotTable(sess)
	return sess
}

// post leaves work for the session's goroutine.
func (s *session) post(f func() error) {
	s.inbox.mu.Lock()
	s.inbox.work = append(s.inbox.work, f)
	s.inbox.mu.Unlock()
	select {
	case s.inbox.wake <- struct{}{}:
	default:
	}
}

// Notify takes a change of the gateway's content (cache.Watcher).
func (s *session) Notify(u cache.Update) {
	s.post(func() error {
		s.types.changed(u.Types)
		s.slots.changed(u.Slots)
		return nil
	})
}

func (s *session) served(f fetch) {
	s.post(func() error {
		s.slots.lane.served(f, s.server.opts.Now())
		return nil
	})
}

type fetch struct {
	digest   string
	complete bool
}

// run serves the stream until it ends.
func (s *session) run(first *discoveryv3.DeltaDiscoveryRequest) error {
	stop := s.group.Watch(s)
	defer stop()
	requests := make(chan *discoveryv3.DeltaDiscoveryRequest)
	ended := make(chan error, 1)
	go func() {
		for {
			r, err := s.stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case requests <- r:
			case <-s.stream.Context().Done():
				return
			}
		}
	}()
	if err := s.request(first); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, err := s.work()
		if err != nil {
			return err
		}
		timer.Reset(next)
		select {
		case <-s.stream.Context().Done():
			return s.stream.Context().Err()
		case err := <-ended:
			return err
		case r := <-requests:
			if err := s.request(r); err != nil {
				return err
			}
		case <-s.inbox.wake:
		case <-timer.C:
		}
	}
}

// work sends what can be sent and returns how long nothing will be due.
func (s *session) work() (time.Duration, error) {
	s.inbox.mu.Lock()
	work := s.inbox.work
	s.inbox.work = nil
	s.inbox.mu.Unlock()
	for _, f := range work {
		if err := f(); err != nil {
			return 0, err
		}
	}
	now := s.server.opts.Now()
	if err := s.types.send(now); err != nil {
		return 0, err
	}
	if err := s.slots.send(now); err != nil {
		return 0, err
	}
	due := time.Hour
	for _, t := range []time.Time{s.types.due(), s.slots.due()} {
		if !t.IsZero() {
			due = min(due, max(t.Sub(now), time.Millisecond))
		}
	}
	return due, nil
}

// request handles one message of the proxy: an acknowledgement or refusal, a change of subscription, or both.
func (s *session) request(r *discoveryv3.DeltaDiscoveryRequest) error {
	s.answered(r)
	if r.TypeUrl == TypeExtensionConfig {
		s.slots.subscribe(r)
		return nil
	}
	s.types.subscribe(r)
	return nil
}

// answered does what the acknowledgement or refusal of a response does.
func (s *session) answered(r *discoveryv3.DeltaDiscoveryRequest) {
	if r.ResponseNonce != "" {
		answer := s.inWork[r.ResponseNonce]
		delete(s.inWork, r.ResponseNonce)
		nack := ""
		if r.ErrorDetail != nil {
			nack = r.ErrorDetail.Message
			if nack == "" {
				nack = "refused without a text"
			}
			s.log.Debug("proxy refused a response", "type", r.TypeUrl, "error", nack)
		}
		if answer != nil {
			answer(nack)
		}
	}
}

// respond sends one response, on the session's own stream or its lane's, and remembers what its answer does.
func (s *session) respond(stream deltaStream, typeURL string, resources []*discoveryv3.Resource, removed []string, answer func(nack string)) (nonce string, err error) {
	s.nonce++
	nonce = strconv.FormatUint(s.nonce, 10)
	s.inWork[nonce] = answer
	return nonce, stream.Send(&discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: typeURL, Nonce: nonce, Resources: resources, RemovedResources: removed,
	})
}

func resource(name, version string, body *anypb.Any) *discoveryv3.Resource {
	return &discoveryv3.Resource{Name: name, Version: version, Resource: body}
}
