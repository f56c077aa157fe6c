package modules

import (
	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules/fetch"
	"github.com/wasmpoint/wasmpoint/modules/location"
)

// owner is one plugin's wish. It is guarded by the Manager's lock.
type owner struct {
	name       string
	id         identity
	generation int64
	refused    refusal
	// res is the module in force, nil if there is none (yet).
	res *resolution
	// job is set while the owner waits for an attempt that begins after attempt number after.
	job   *job
	after int
	state State
}

// Want says what an owner's module is to be, and returns what is known now. An equal Source causes no work. A module that is
// already here and proven for this Source is Ready at once; otherwise a fetch starts, and goes on with back-off until it
// succeeds, the Source changes, or the owner is released.
func (m *Manager) Want(name string, src Source) State {
	id, refused := m.identify(src)
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.owners[name]
	if old != nil && old.id.key == id.key && old.id.always == id.always && old.refused == refused {
		if old.generation == src.Generation {
			return old.state
		}
		if !id.always && old.job == nil {
			old.generation = src.Generation
			return old.state
		}
	}
	o := &owner{name: name, id: id, generation: src.Generation, refused: refused}
	if old != nil {
		o.state = old.state
	}
	m.owners[name] = o
	if refused == (refusal{}) && !m.closed {
		m.begin(o, old)
	}
	if old != nil {
		m.leave(old) // only now: a download under way that the new wish needs as well goes on
	}
	m.publish(o, false)
	return o.state
}

// begin finds out what is known for a new wish, and joins a job if something is missing.
func (m *Manager) begin(o, old *owner) {
	newest, known := m.index.Sources[o.id.key]
	known = known && m.Has(newest.Digest)
	mine, proven := m.index.Owners[o.name]
	proven = proven && mine.Key == o.id.key && m.Has(mine.Digest)
	wait := true
	switch {
	case old != nil && old.res != nil && old.id.content == o.id.content:
		// The same thing with other credentials, or to be looked at again: what is in force stays meanwhile.
		o.res = old.res
		if !o.id.always && old.id.key == o.id.key {
			wait = old.job != nil
		} else if !o.id.always && known {
			o.res, wait = &newest, false
		}
	case proven:
		o.res = &mine.resolution
		// A file may have changed while nobody looked, and reading it costs nothing.
		wait = o.id.always && (mine.Generation != o.generation || o.id.req.Location.Kind == location.File)
	case known && !o.id.always:
		o.res, wait = &newest, false
	}
	if wait {
		m.join(o, o.id.always)
	} else {
		m.record(o)
	}
}

// Release ends an owner's wish. Its module stays in the store until the garbage collection takes it.
func (m *Manager) Release(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.owners[name]; o != nil {
		m.leave(o)
		delete(m.owners, name)
		delete(m.index.Owners, name)
		m.saveSoon()
	}
}

// Refresh looks again at an owner's source now, whatever pull policy and back-off say. What is in force stays meanwhile.
func (m *Manager) Refresh(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.owners[name]; o != nil && o.refused == (refusal{}) && !m.closed {
		m.join(o, true)
		m.publish(o, true)
	}
}

// State is what is known about an owner's module; the zero State for an unknown owner.
func (m *Manager) State(name string) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.owners[name]; o != nil {
		return o.state
	}
	return State{}
}

// record notes the owner's module in the index.
func (m *Manager) record(o *owner) {
	p := proof{o.id.key, o.generation, *o.res}
	if !o.id.always {
		p.Generation = 0 // does not matter then, and a configuration change need not write the index
	}
	if m.index.Owners[o.name] != p {
		m.index.Owners[o.name] = p
		m.saveSoon()
	}
}

// publish computes an owner's state and, if tell is set, reports a change to the subscribers.
func (m *Manager) publish(o *owner, tell bool) {
	s := State{}
	switch {
	case o.refused != (refusal{}):
		s.Reason, s.Err = o.refused.reason, o.refused.text
	case o.res != nil:
		s.Ready, s.Digest, s.Size, s.ABI, s.ResolvedDigest = true, o.res.Digest, o.res.Size, o.res.ABI, o.res.Resolved
		s.Reason = ext.ReasonResolvedRefs
	default:
		s.Reason = ext.ReasonFetching
	}
	if j := o.job; j != nil {
		s.Attempts, s.NextTry = j.attempts, j.next
		if j.err != nil {
			s.Err = j.err.Msg
			if !s.Ready {
				s.Reason = reasonOf(j.err.Kind)
			}
		}
	}
	s.Since = o.state.Since
	if s.Ready != o.state.Ready || s.Reason != o.state.Reason || s.Digest != o.state.Digest {
		s.Since = m.clock.Now()
	}
	if s != o.state {
		o.state = s
		if tell {
			m.note(o.name)
		}
	}
}

// failed tells a waiting owner of a failed attempt.
func (m *Manager) failed(o *owner, err *fetch.Error) {
	if err.Kind == fetch.Denied {
		// "You may not" is an answer, in contrast to no answer: what was proven with other credentials, or earlier, is
		// no longer this owner's.
		o.res = nil
	} else if newest, ok := m.index.Sources[o.id.key]; ok && o.res == nil && m.Has(newest.Digest) {
		// Always, and the source does not answer: the last module of this source is better than none.
		o.res = &newest
	}
	m.publish(o, true)
}

// lost takes a module that is no longer in the store away from everybody, and fetches it again.
func (m *Manager) lost(digest string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index.forget(digest)
	m.saveSoon()
	for _, o := range m.owners {
		if o.res != nil && o.res.Digest == digest {
			o.res = nil
			if o.job == nil && !m.closed {
				m.join(o, false)
			}
			m.publish(o, true)
		}
	}
}
