package engine

import (
	"slices"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// Pod is what the count of proxies has to know of a Pod of a managed Gateway.
type Pod struct {
	Name string
	// Counts tells that a proxy is expected here: the Pod is ready, or was and crashes. One that starts for the first time
	// is not: it takes no traffic yet.
	Counts bool
	// Ready tells that it takes traffic.
	Ready bool
	// Ours tells that the Pod was provisioned, and is not another controller's or somebody's own.
	Ours bool
}

// fleetState is what the engine knows of proxies beyond those that are connected to this replica.
type fleetState struct {
	// pods by the Gateway that their label names, and by name.
	pods map[types.NamespacedName]map[string]Pod
	// peers are the proxies of other replicas, by replica and gateway.
	peers map[string]map[types.NamespacedName][]acks.Proxy
	// known are the proxies by gateway and id that are connected, or were a moment ago, with the time at which they left. One
	// that crashes again and again must not vanish from the count while it is away.
	known map[types.NamespacedName]map[string]time.Time
	// forgetAt is when the next of them is forgotten, or later.
	forgetAt time.Time
}

func newFleetState() fleetState {
	return fleetState{
		pods:  map[types.NamespacedName]map[string]Pod{},
		peers: map[string]map[types.NamespacedName][]acks.Proxy{},
		known: map[types.NamespacedName]map[string]time.Time{},
	}
}

// SetPod takes a Pod of a Gateway in; gone takes it out. label is the Gateway as the Pod's label names it, which may be a
// shortened name.
func (e *Engine) SetPod(label types.NamespacedName, pod Pod, gone bool) {
	e.post(func() {
		pods := e.fleetState.pods[label]
		if old, had := pods[pod.Name]; gone && !had || !gone && had && old == pod {
			return
		}
		if gone {
			delete(pods, pod.Name)
		} else {
			if pods == nil {
				pods = map[string]Pod{}
				e.fleetState.pods[label] = pods
			}
			pods[pod.Name] = pod
		}
		if len(pods) == 0 {
			delete(e.fleetState.pods, label)
		}
		for _, gw := range e.store.GatewaysIn(label.Namespace) {
			if name := (types.NamespacedName{Namespace: gw.Namespace, Name: gw.Name}); labelOf(name) == label {
				e.markGateway(name)
			}
		}
	})
}

// labelOf is a Gateway as the labels of its Pods name it.
func labelOf(gateway types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: gateway.Namespace, Name: provision.LabelValue(gateway.Name)}
}

// SetPeer replaces what another replica says of its proxies (peers.Sink).
func (e *Engine) SetPeer(replica string, proxies []acks.Proxy) {
	e.post(func() {
		now := map[types.NamespacedName][]acks.Proxy{}
		for _, p := range proxies {
			now[p.Gateway] = append(now[p.Gateway], p)
		}
		was := e.fleetState.peers[replica]
		e.fleetState.peers[replica] = now
		e.peersRun(now)
		e.askForPeers(proxies)
		for gateway := range was {
			e.proxiesChanged(gateway)
		}
		for gateway := range now {
			if was[gateway] == nil {
				e.proxiesChanged(gateway)
			}
		}
	})
}

// peersRun promotes what runs at proxies of other replicas: the leader keeps the last good variants of all.
func (e *Engine) peersRun(proxies map[types.NamespacedName][]acks.Proxy) {
	seen := map[string]bool{}
	for _, list := range proxies {
		for i := range list {
			for _, slot := range list[i].Slots {
				for _, variant := range slot.Running {
					if !seen[variant] {
						seen[variant] = true
						e.proxyRuns(variant)
					}
				}
			}
		}
	}
}

// DropPeer forgets a replica that is gone (peers.Sink).
func (e *Engine) DropPeer(replica string) {
	e.post(func() {
		was := e.fleetState.peers[replica]
		delete(e.fleetState.peers, replica)
		for gateway := range was {
			e.proxiesChanged(gateway)
		}
	})
}

// connected are the proxies of a gateway at any replica, sorted by id. One that moved from one replica to another may be
// named by both for a moment; the later connection counts.
func (e *Engine) connected(gateway types.NamespacedName) []acks.Proxy {
	out := acks.Merge(e.opts.Registry.Proxies(gateway))
	if len(e.fleetState.peers) == 0 {
		return out
	}
	at := make(map[string]int, len(out))
	for i := range out {
		at[out[i].ID] = i
	}
	for _, byGateway := range e.fleetState.peers {
		theirs := slices.Clone(byGateway[gateway])
		slices.SortStableFunc(theirs, func(a, b acks.Proxy) int { return strings.Compare(a.ID, b.ID) })
		for _, p := range acks.Merge(theirs) {
			i, twice := at[p.ID]
			switch {
			case !twice:
				at[p.ID] = len(out)
				out = append(out, p)
			case p.Connected.After(out[i].Connected):
				out[i] = p
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// allConnected are the proxies of all gateways.
func (e *Engine) allConnected() []acks.Proxy {
	gateways := map[types.NamespacedName]bool{}
	for _, gateway := range e.opts.Registry.Gateways() {
		gateways[gateway] = true
	}
	for _, byGateway := range e.fleetState.peers {
		for gateway := range byGateway {
			gateways[gateway] = true
		}
	}
	var out []acks.Proxy
	for gateway := range gateways {
		out = append(out, e.connected(gateway)...)
	}
	return out
}

// missing are the names of proxies that a gateway should have and that are connected nowhere: the Pods of a managed one, and
// what another one had a moment ago.
func (e *Engine) missing(gateway types.NamespacedName, connected []acks.Proxy) []string {
	present := make(map[string]bool, len(connected))
	for i := range connected {
		present[connected[i].ID] = true
	}
	var out []string
	if pods := e.podsOf(gateway); pods != nil {
		for name, pod := range pods {
			if pod.Counts && !present[name] {
				out = append(out, name)
			}
		}
	} else {
		for name := range e.fleetState.known[gateway] {
			if !present[name] {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// podsOf are the Pods of a Gateway whose proxies are ours; the Pods of another one are known by other names than its
// proxies. Where some were provisioned, those of another controller that carry the Gateway's name, too, run no proxy of ours.
func (e *Engine) podsOf(gateway types.NamespacedName) map[string]Pod {
	if gw := e.store.Gateway(gateway); gw == nil || !e.managed(gw) {
		return nil
	}
	all := e.fleetState.pods[labelOf(gateway)]
	ours := map[string]Pod{}
	for name, pod := range all {
		if pod.Ours {
			ours[name] = pod
		}
	}
	if len(ours) > 0 {
		return ours
	}
	return all
}

// noneReady tells that a Gateway has Pods, and that none of them takes traffic.
func (e *Engine) noneReady(gateway types.NamespacedName) bool {
	pods := e.podsOf(gateway)
	for _, pod := range pods {
		if pod.Ready {
			return false
		}
	}
	return len(pods) > 0
}

// proxiesChanged notes that proxies of a gateway came or went.
func (e *Engine) proxiesChanged(gateway types.NamespacedName) {
	e.markGateway(gateway)
	e.forgetExternal(gateway)
	if e.opts.Remember == 0 {
		return
	}
	known := e.fleetState.known[gateway]
	if known == nil {
		known = map[string]time.Time{}
		e.fleetState.known[gateway] = known
	}
	present := map[string]bool{}
	connected := e.opts.Registry.IDs(gateway)
	for _, byGateway := range e.fleetState.peers {
		for _, p := range byGateway[gateway] {
			connected = append(connected, p.ID)
		}
	}
	for _, id := range connected {
		known[id], present[id] = time.Time{}, true
	}
	now := e.opts.Now()
	for id, left := range known {
		if left.IsZero() && !present[id] {
			known[id] = now
			if at := now.Add(e.opts.Remember); at.Before(e.fleetState.forgetAt) {
				e.fleetState.forgetAt = at
			}
		}
	}
}

// forgetProxies drops what is remembered of proxies that left and did not come back.
func (e *Engine) forgetProxies() {
	now := e.opts.Now()
	if now.Before(e.fleetState.forgetAt) {
		return
	}
	due := time.Hour
	for gateway, known := range e.fleetState.known {
		for id, left := range known {
			switch wait := left.Add(e.opts.Remember).Sub(now); {
			case left.IsZero():
			case wait > 0:
				due = min(due, wait)
			default:
				delete(known, id)
				e.markGateway(gateway)
			}
		}
		if len(known) == 0 {
			delete(e.fleetState.known, gateway)
		}
	}
	e.fleetState.forgetAt = now.Add(due)
}
