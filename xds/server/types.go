package server

import (
	"sort"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/xds/names"
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
	// refusals in a row, the text of the last, and when what was refused is sent again. A port that is taken may be free
	// by then, and nobody else would say so.
	refusals int
	refusal  string
	retryAt  time.Time
}

func newTypeTable(s *session) *typeTable {
	return &typeTable{s: s, types: map[string]*typeState{}, warming: map[string]struct{}{}}
}

func (t *typeTable) changed(urls []string) {
	for _, u := range urls {
		if st := t.types[u]; st != nil {
			st.dirty, st.retryAt = true, time.Time{}
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
		if len(t.types) == 1 { // clusters come first, then listeners
			t.s.proxy.SetTakesListeners()
		}
	}
	for name, version := range r.InitialResourceVersions {
		st.sent[name] = version
	}
	if r.TypeUrl == TypeListener {
		t.took(r.InitialResourceVersions)
	}
	for _, n := range r.ResourceNamesSubscribe {
		if n == "*" {
			st.wildcard = true
		} else {
			// Names beside a wildcard add nothing, and a waypoint asks for the cluster of every address that anybody asked it for.
			if !st.wildcard {
				st.names[n] = true
			}
			if _, initial := r.InitialResourceVersions[n]; !initial {
				delete(st.sent, n) // asked again: the proxy dropped what it had
			}
		}
		st.dirty, st.retryAt = true, time.Time{}
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
		// Only what names clusters waits for them. Endpoints never may: Envoy acknowledges new clusters when it has their
		// endpoints, and gives up waiting for those after 15 s.
		if !st.dirty || now.Before(st.retryAt) || blocked && (url == TypeListener || url == TypeRoute) {
			continue
		}
		if err := t.sendType(url, st, now); err != nil {
			return err
		}
		blocked = blocked || (st.inflight && url == TypeCluster)
	}
	// Clusters whose end waited for routes that turned out to have nothing to send.
	if st := t.types[TypeCluster]; st != nil && st.dirty && !st.inflight && !now.Before(st.retryAt) && t.routesSettled() {
		return t.sendType(TypeCluster, st, now)
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
		if st.refusal != "" && !st.dirty { // what was refused is not wanted any more
			st.refusals, st.refusal = 0, ""
			t.s.proxy.RefuseType(url, "", now)
		}
		return nil
	}
	st.answered, st.inflight = true, true
	for _, r := range out {
		st.sent[r.Name] = r.Version
	}
	if url == TypeCluster {
		t.warm(out, now)
	}
	for _, name := range removed {
		delete(st.sent, name)
		delete(t.warming, name)
	}
	return t.s.respond(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: url, Resources: out, RemovedResources: removed}, func(nack string) {
		st.inflight = false
		for _, r := range out {
			if url == TypeEndpoint || nack != "" {
				delete(t.warming, r.Name)
			}
		}
		t.answered(url, st, out, removed, nack)
	})
}

// versionsOf are the versions of what a response brought, and "" for what it took away.
func versionsOf(out []*discoveryv3.Resource, removed []string) map[string]string {
	versions := map[string]string{}
	for _, name := range removed {
		versions[name] = ""
	}
	for _, r := range out {
		versions[r.Name] = r.Version
	}
	return versions
}

// took tells the registry which listeners the proxy has. Those of Services at a waypoint come and go with the Services, and say
// nothing of the gateway.
func (t *typeTable) took(versions map[string]string) {
	own := map[string]string{}
	for name, version := range versions {
		if !names.IsServiceListener(name) {
			own[name] = version
		}
	}
	t.s.proxy.SetListeners(own)
}

// warm notes the clusters of a response that Envoy keeps back until it has their endpoints, and sends those again for a
// cluster that it knew: it asks for them once per name only, not for each new form of the cluster.
func (t *typeTable) warm(clusters []*discoveryv3.Resource, now time.Time) {
	have, endpoints := t.s.group.Resources(TypeEndpoint), t.types[TypeEndpoint]
	for _, r := range clusters {
		if have[r.Name] == nil {
			continue
		}
		t.warming[r.Name] = struct{}{}
		t.warmingUntil = now.Add(endpointGrace)
		if endpoints != nil && endpoints.names[r.Name] {
			delete(endpoints.sent, r.Name)
			endpoints.dirty = true
		}
	}
}

// answered handles the ACK or NACK of a response. What was refused is as good as not sent: it is sent again, later, or at
// once when something of its type changes.
func (t *typeTable) answered(url string, st *typeState, out []*discoveryv3.Resource, removed []string, nack string) {
	now := t.s.server.opts.Now()
	t.s.proxy.RefuseType(url, nack, now)
	if nack == "" {
		st.refusals, st.refusal = 0, ""
		if url == TypeListener {
			t.took(versionsOf(out, removed))
		}
		return
	}
	if nack != st.refusal { // once, and not for each try
		t.s.log.Warn("proxy refused resources", "type", url, "error", nack)
	}
	// Which of them the proxy took is not said: it may have any of them, in whatever version.
	for _, r := range out {
		st.sent[r.Name] = ""
	}
	for _, name := range removed {
		st.sent[name] = ""
	}
	st.refusals, st.refusal, st.dirty = st.refusals+1, nack, true
	st.retryAt = now.Add(min(time.Second<<min(st.refusals-1, 5), 30*time.Second))
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
	var due time.Time
	if len(t.warming) > 0 {
		due = t.warmingUntil
	}
	for _, st := range t.types {
		if st.dirty && !st.inflight {
			due = earliest(due, st.retryAt)
		}
	}
	return due
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
