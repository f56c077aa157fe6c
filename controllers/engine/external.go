package engine

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// ExternalPod is the Pod of a proxy that somebody else programs.
type ExternalPod struct {
	types.NamespacedName
	Labels map[string]string
	// Istio tells that Istio programs it.
	Istio bool
}

// Workload is the workload to which the Pod belongs.
func (p ExternalPod) Workload() types.NamespacedName {
	return model.WorkloadName(p.Namespace, p.Labels, p.Istio)
}

// maxAsked bounds the places of a workload: its proxies are not ours, and may ask for anything.
const maxAsked = 256

// externals is what is known of external proxies: whose Pods there are, and what their proxies asked for, here or at another
// replica. A workload comes to be when both are known. A place stays as long as the workload has Pods, because a proxy that
// restarts is to find its content there.
type externals struct {
	pods  map[types.NamespacedName]types.NamespacedName // Pod to workload
	crews map[types.NamespacedName]*externalCrew
}

type externalCrew struct {
	pod   ExternalPod // one of them
	pods  int
	asked map[askedPlace]model.WorkloadPort
}

type askedPlace struct {
	side model.Side
	port int32
}

func newExternals() externals {
	return externals{pods: map[types.NamespacedName]types.NamespacedName{}, crews: map[types.NamespacedName]*externalCrew{}}
}

func (x *externals) crew(workload types.NamespacedName) *externalCrew {
	c := x.crews[workload]
	if c == nil {
		c = &externalCrew{asked: map[askedPlace]model.WorkloadPort{}}
		x.crews[workload] = c
	}
	return c
}

// SetExternalPod takes the Pod of an external proxy in; gone takes it out.
func (e *Engine) SetExternalPod(pod ExternalPod, gone bool) {
	e.post(func() {
		was, had := e.externals.pods[pod.NamespacedName]
		is := pod.Workload()
		if gone && !had || !gone && had && was == is {
			return
		}
		if had {
			delete(e.externals.pods, pod.NamespacedName)
			c := e.externals.crew(was)
			if c.pods--; c.pods == 0 {
				delete(e.externals.crews, was)
				e.applyApart([]store.Event{{Deleted: store.Ref{Kind: store.KindWorkload, NamespacedName: was}}}, nil)
			}
		}
		if !gone {
			e.externals.pods[pod.NamespacedName] = is
			c := e.externals.crew(is)
			c.pods++
			if c.pod = pod; c.pods == 1 {
				e.offer(is, c)
			}
		}
	})
}

// SlotWanted is for server.Hooks.Wanted.
func (e *Engine) SlotWanted(workload types.NamespacedName, slot names.SlotName) {
	e.post(func() { e.ask(workload, slot) })
}

// ask notes that a workload's proxies want a slot.
func (e *Engine) ask(workload types.NamespacedName, slot names.SlotName) {
	if !slot.External || slot.Kind == names.KindPrefetch {
		return
	}
	c := e.externals.crew(workload)
	at := askedPlace{slot.Scope.Side, slot.Scope.Port}
	port, known := c.asked[at]
	if !known && len(c.asked) >= maxAsked {
		e.log.Warn("external proxies ask for too many places, and get no answer", "namespace", workload.Namespace, "slot", slot.String(), "most", maxAsked)
		return
	}
	before := port
	port.Side, port.Port = at.side, at.port
	port.HTTP = port.HTTP || slot.Kind == names.KindHTTP
	port.Network = port.Network || slot.Kind == names.KindNetwork
	if port != before {
		c.asked[at] = port
		e.offer(workload, c)
	}
}

// offer brings a workload to the rules.
func (e *Engine) offer(name types.NamespacedName, c *externalCrew) {
	if c.pods == 0 || len(c.asked) == 0 {
		return
	}
	ports := slices.SortedFunc(maps.Values(c.asked), func(a, b model.WorkloadPort) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Port, b.Port))
	})
	e.applyApart([]store.Event{{Object: &model.Workload{
		Namespace: name.Namespace, Name: name.Name, Labels: c.pod.Labels, Istio: c.pod.Istio, Ports: ports,
	}}}, nil)
}

// askForPeers notes what proxies of another replica have: its leader counts them.
func (e *Engine) askForPeers(proxies []acks.Proxy) {
	for i := range proxies {
		if !model.IsWorkload(proxies[i].Gateway) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(proxies[i].Slots)) {
			if n, err := names.ParseSlot(name); err == nil {
				e.ask(proxies[i].Gateway, n)
			}
		}
	}
}

// forgetExternal drops what proxies asked for that left before their Pod was seen.
func (e *Engine) forgetExternal(workload types.NamespacedName) {
	if c := e.externals.crews[workload]; c != nil && c.pods == 0 && len(e.connected(workload)) == 0 {
		delete(e.externals.crews, workload)
	}
}
