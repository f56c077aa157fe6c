package server

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// fleet is the sessions of one gateway, and what they share: the notice of a change, and the bytes of slots.
type fleet struct {
	server *Server
	group  *cache.Group
	stop   func()

	mu       sync.Mutex
	sessions map[*session]struct{}
	// frames are responses of the last moments. Sessions that are in the same situation send the same.
	frames   map[frameKey]*shared
	clearing bool
	// places are the siblings of slots (moves.go), by the slot's name.
	places map[string]place
}

// place is a slot's name and those of its siblings, in strings that all sessions share: a proxy may have thousands of slots.
type place struct {
	name     string
	siblings []string
}

// place gives the shared names of a slot. Names that the gateway does not have are not kept, and have no siblings yet: any client
// may ask for any.
func (f *fleet) place(name string) place {
	if f.group.Slot(name) == nil { // before the lock: the group holds its own while it notifies
		return place{name: name}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.places[name]
	if !ok {
		p = place{name, siblings(name)}
		if len(f.places) >= maxPlaces { // those of slots that are gone
			clear(f.places)
		}
		f.places[name] = p
	}
	return p
}

// maxPlaces bounds the names that are kept.
const maxPlaces = 50000

// frameKey is all that a slot's bytes depend on.
type frameKey struct {
	slot, version, epoch string
	attempt              int
}

// frameLife is how long a response is kept after the first proxy got it.
const frameLife = 5 * time.Second

// join adds a session to the fleet of its gateway.
func (s *Server) join(sess *session, gateway types.NamespacedName) *fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fleets[gateway]
	if f == nil {
		f = &fleet{server: s, group: s.opts.Hub.Group(gateway), sessions: map[*session]struct{}{}, frames: map[frameKey]*shared{}, places: map[string]place{}}
		f.stop = f.group.Watch(f)
		s.fleets[gateway] = f
	}
	f.mu.Lock()
	f.sessions[sess] = struct{}{}
	f.mu.Unlock()
	return f
}

// leave takes a session out; the last one ends the fleet.
func (s *Server) leave(sess *session, gateway types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fleets[gateway]
	f.mu.Lock()
	delete(f.sessions, sess)
	empty := len(f.sessions) == 0
	f.mu.Unlock()
	if empty {
		delete(s.fleets, gateway)
		f.stop()
	}
}

// Notify takes a change of the gateway's content (cache.Watcher).
func (f *fleet) Notify(u cache.Update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*session, 0, len(f.sessions))
	for sess := range f.sessions {
		sess.inbox.add(work{update: &u})
		list = append(list, sess)
	}
	f.server.pool.ready(list...)
}

// response is a slot's response, made by the first session that needs it.
func (f *fleet) response(key frameKey, network bool, choices []build.Choice, d build.Delivery) (*shared, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.frames[key]; r != nil {
		return r, nil
	}
	body, err := build.Resource(key.slot, network, choices, d)
	if err != nil {
		return nil, err
	}
	r, err := newShared(resource(key.slot, key.version, body))
	if err != nil || len(f.sessions) == 1 {
		return r, err
	}
	f.frames[key] = r
	if !f.clearing {
		f.clearing = true
		time.AfterFunc(frameLife, f.clear)
	}
	return r, nil
}

func (f *fleet) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.frames)
	f.clearing = false
}
