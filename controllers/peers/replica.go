package peers

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// replica is what the leader knows of one other replica.
type replica struct {
	// stream is the one that tells of it, nil in its grace.
	stream  *stream
	proxies map[uint64]acks.Proxy
	drop    *time.Timer
}

// take brings a line of a stream in. It tells whether the stream is still the one that speaks for its replica: a newer one
// takes its place.
func (r *runner) take(s *stream, l *line) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	p := r.replicas[s.replica]
	if l.Replica != "" {
		switch {
		case p == nil:
			p = &replica{}
			r.replicas[s.replica] = p
		case p.drop != nil:
			p.drop.Stop()
			p.drop = nil
		case p.stream != nil && p.stream.address != s.address:
			s.log.Warn("two peers have the same name, and only one of them is counted; give each replica a name of its own (--replica)",
				"replica", s.replica, "other", p.stream.address)
		}
		p.stream, p.proxies = s, make(map[uint64]acks.Proxy, len(l.Proxies))
	}
	if p == nil || p.stream != s {
		return false
	}
	for _, proxy := range l.Proxies {
		p.proxies[proxy.Number] = proxy
	}
	for _, n := range l.Gone {
		delete(p.proxies, n)
	}
	if !l.empty() {
		r.o.Sink.SetPeer(s.replica, slices.SortedFunc(maps.Values(p.proxies), func(a, b acks.Proxy) int { return cmp.Compare(a.Number, b.Number) }))
	}
	return true
}

// lost begins the grace of the replica that a stream spoke for.
func (r *runner) lost(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.replicas[s.replica]
	if r.ended || p == nil || p.stream != s {
		return
	}
	p.stream = nil
	name := s.replica // the stream may speak for another one by then
	var drop *time.Timer
	drop = time.AfterFunc(r.o.Grace, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.ended || p.drop != drop || r.replicas[name] != p {
			return // it came back
		}
		delete(r.replicas, name)
		r.o.Logger.Info("peer is gone", "replica", name, "proxies", len(p.proxies))
		r.o.Sink.DropPeer(name)
	})
	p.drop = drop
}

// end drops all replicas: who does not lead does not count.
func (r *runner) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for _, name := range slices.Sorted(maps.Keys(r.replicas)) {
		if p := r.replicas[name]; p.drop != nil {
			p.drop.Stop()
		}
		r.o.Sink.DropPeer(name)
	}
	clear(r.replicas)
}
