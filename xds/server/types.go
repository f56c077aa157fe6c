package server

import (
	"sort"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// The type URLs of a managed proxy's own resources.
const (
	TypeCluster  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	TypeEndpoint = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	TypeListener = "type.googleapis.com/envoy.config.listener.v3.Listener"
	TypeRoute    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	TypeSecret   = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// sendOrder is make before break: a cluster and its endpoints are there before a route names it. Removals of clusters go
// the other way, last.
var sendOrder = []string{TypeCluster, TypeEndpoint, TypeSecret, TypeListener, TypeRoute}

// endpointGrace bounds how long listeners and routes wait for the proxy to ask for and take the endpoints of new
// clusters. A proxy that never asks must not hold up everything.
const endpointGrace = 2 * time.Second

// typeTable is a session's state for every type but slots.
type typeTable struct {
	s     *session
	types map[string]*typeState
	// warming are the new clusters whose endpoints the proxy did not acknowledge yet, with the end of our patience.
	warming      map[string]struct{}
	warmingUntil time.Time
}

type typeState struct {
	wildcard bool
	names    map[string]bool
	// sent is what the proxy was sent or said that it has: version by name.
	sent     map[string]string
	dirty    bool
	answered bool
	inflight bool
}

func newTypeTable(s *session) *typeTable {
	return &typeTable{s: s, types: map[string]*typeState{}, warming: map[string]struct{}{}}
}

func (t *typeTable) changed(urls []string) {
	for _, u := range urls {
		if st := t.types[u]; st != nil {
			st.dirty = true
		}
	}
}

func (t *typeTable) subscribe(r *discoveryv3.DeltaDiscoveryRequest) {
	st := t.types[r.TypeUrl]
	if st == nil {
		st = &typeState{names: map[string]bool{}, sent: map[string]string{}}
		t.types[r.TypeUrl] = st
		// The first request of a type without names is a wildcard subscription (xDS, "How the client specifies what
		// resources to return").
		st.wildcard = len(r.ResourceNamesSubscribe) == 0
		st.dirty = true
	}
	for name, version := range r.InitialResourceVersions {
		st.sent[name] = version
	}
	for _, n := range r.ResourceNamesSubscribe {
		if n == "*" {
			st.wildcard = true
		} else {
			st.names[n] = true
			if _, initial := r.InitialResourceVersions[n]; !initial {
				delete(st.sent, n) // asked again: the proxy dropped what it had
			}
		}
		st.dirty = true
	}
	for _, n := range r.ResourceNamesUnsubscribe {
		delete(st.names, n)
		delete(st.sent, n)
		delete(t.warming, n)
	}
}

// send sends the types whose turn it is.
func (t *typeTable) send(now time.Time) error {
	if !now.Before(t.warmingUntil) {
		clear(t.warming)
	}
	blocked := false
	for _, url := range sendOrder {
		st := t.types[url]
		if url == TypeListener || url == TypeRoute {
			blocked = blocked || len(t.warming) > 0
		}
		if st == nil {
			continue
		}
		if st.inflight {
			blocked = blocked || url == TypeCluster
			continue
		}
		if !st.dirty || blocked {
			continue
		}
		if err := t.sendType(url, st, now); err != nil {
			return err
		}
		blocked = blocked || (st.inflight && url == TypeCluster)
	}
	return nil
}

func (t *typeTable) sendType(url string, st *typeState, now time.Time) error {
	want := t.s.group.Resources(url)
	var out []*discoveryv3.Resource
	for _, name := range sortedKeys(want) {
		if (st.wildcard || st.names[name]) && st.sent[name] != want[name].Version {
			out = append(out, resource(name, want[name].Version, want[name].Body))
		}
	}
	st.dirty = false
	var removed []string
	if st.wildcard {
		for _, name := range sortedKeys(st.sent) {
			if want[name] == nil {
				removed = append(removed, name)
			}
		}
		if url == TypeCluster && len(removed) > 0 && !t.routesSettled() {
			removed = nil
			st.dirty = true // again when listeners and routes stopped naming them
		}
	}
	if len(out) == 0 && len(removed) == 0 && (st.answered || len(st.sent) > 0) {
		return nil
	}
	st.answered, st.inflight = true, true
	var endpoints []string
	for _, r := range out {
		_, had := st.sent[r.Name]
		st.sent[r.Name] = r.Version
		if url == TypeCluster && !had && t.s.group.Resources(TypeEndpoint)[r.Name] != nil {
			t.warming[r.Name] = struct{}{}
			t.warmingUntil = now.Add(endpointGrace)
		}
		if url == TypeEndpoint {
			endpoints = append(endpoints, r.Name)
		}
	}
	for _, name := range removed {
		delete(st.sent, name)
		delete(t.warming, name)
	}
	return t.s.respond(t.s.stream, url, out, removed, func(nack string) {
		st.inflight = false
		for _, n := range endpoints {
			delete(t.warming, n)
		}
		if nack != "" {
			t.s.log.Warn("proxy refused resources", "type", url, "error", nack)
			t.s.proxy.Nack(nack, t.s.server.opts.Now())
		}
		if c := t.types[TypeCluster]; c != nil && url != TypeCluster {
			c.dirty = true // cluster removals may have waited for this answer
		}
	})
}

// routesSettled tells that no listener or route update is under way or due, so that clusters may go.
func (t *typeTable) routesSettled() bool {
	for _, url := range []string{TypeListener, TypeRoute} {
		if st := t.types[url]; st != nil && (st.dirty || st.inflight) {
			return false
		}
	}
	return true
}

func (t *typeTable) due() time.Time {
	if len(t.warming) > 0 {
		return t.warmingUntil
	}
	return time.Time{}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
