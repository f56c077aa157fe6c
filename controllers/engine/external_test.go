package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// webPod is the Pod of an external proxy with the label app.
func webPod(name, app string) ExternalPod {
	return ExternalPod{NamespacedName: named2(name), Labels: map[string]string{"app": app}}
}

// authn is the AUTHN slot of an external proxy's inbound port.
func authn(port int32) names.SlotName {
	return names.SlotName{Kind: names.KindHTTP, External: true, Scope: model.Scope{Side: model.SideInbound, Port: port}, Phase: model.PhaseAuthn}
}

// runsAt names the plugins in the AUTHN slot of port 80 of the workload, "no slot" without one.
func (w *world) runsAt(pod ExternalPod) string {
	slot := w.hub.Group(pod.Workload()).Slot(authn(80).String())
	if slot == nil {
		return "no slot"
	}
	var out []string
	for _, e := range slot.Entries {
		out = append(out, e.Plugin.Name)
	}
	return strings.Join(out, " ")
}

// selecting is a plugin of the namespace default for Pods with the label app.
func selecting(name, app string) *model.Plugin {
	p := plugin(name, one, 1)
	p.Targets, p.Selector = nil, map[string]string{"app": app}
	return p
}

func TestAnExternalProxyFindsItsSlotsWhicheverIsKnownFirst(t *testing.T) {
	pod := webPod("web-1", "web")
	steps := map[string]func(*world){
		"plugin": func(w *world) { w.apply(selecting("p", "web"), selecting("q", "api")) },
		"Pod":    func(w *world) { w.SetExternalPod(pod, false) },
		"ask":    func(w *world) { w.SlotWanted(pod.Workload(), authn(80)) },
		"module": func(w *world) { w.module(one, "d1", "") },
	}
	for _, order := range []string{"plugin Pod ask module", "ask Pod plugin module", "module ask plugin Pod", "Pod module plugin ask"} {
		w := newWorld(t)
		w.apply()
		for _, step := range strings.Fields(order) {
			steps[step](w)
			w.turn()
		}
		if got := w.runsAt(pod); got != "p" {
			t.Errorf("%s: %q stands in the slot", order, got)
		}
	}
}

func TestAPodWithOtherLabelsIsOfAnotherWorkloadAndTheLastOneTakesItAway(t *testing.T) {
	w := newWorld(t)
	first, second := webPod("web-1", "web"), webPod("web-2", "web")
	w.apply(selecting("p", "web"), selecting("q", "api"))
	w.SetExternalPod(first, false)
	w.SetExternalPod(second, false)
	w.SlotWanted(first.Workload(), authn(80))
	w.turn()
	if first.Workload() != second.Workload() || w.runsAt(first) != "p" {
		t.Fatalf("two Pods with equal labels: %v, %v, %q", first.Workload(), second.Workload(), w.runsAt(first))
	}
	moved := webPod("web-1", "api")
	w.SetExternalPod(moved, false)
	w.SlotWanted(moved.Workload(), authn(80))
	w.turn()
	if w.runsAt(moved) != "q" || w.runsAt(second) != "p" {
		t.Errorf("after the change %q and %q", w.runsAt(moved), w.runsAt(second))
	}
	w.SetExternalPod(second, true)
	w.turn()
	if got := w.runsAt(second); got != "no slot" {
		t.Errorf("without Pods: %q", got)
	}
	if len(w.externals.crews) != 1 || len(w.externals.pods) != 1 {
		t.Errorf("%d workloads and %d Pods are kept", len(w.externals.crews), len(w.externals.pods))
	}
}

func TestTheLeaderCountsTheExternalProxiesOfOtherReplicas(t *testing.T) {
	w := newWorld(t)
	pod := webPod("web-1", "web")
	p := selecting("p", "web")
	w.apply(p)
	w.module(one, "d1", "")
	w.SetExternalPod(pod, false)
	hash := w.plugins[p.Key].wanted.Hash
	part := func(number uint64, slot names.SlotName, running ...string) acks.Proxy {
		return acks.Proxy{ID: "web-1", Number: number, Part: true, Gateway: pod.Workload(), Slots: map[string]acks.Slot{slot.String(): {Running: running}}}
	}
	other := authn(80)
	other.Phase = model.PhaseStats
	w.SetPeer("replica-2", []acks.Proxy{part(1, authn(80), hash), part(2, other)})
	w.turn()
	in := w.input(w.plugins[p.Key], w.fleet())
	if len(in.Targets) != 1 || in.Targets[0].Target.Kind != "Namespace" || !in.Targets[0].Accepted {
		t.Fatalf("targets %+v", in.Targets)
	}
	if got := in.Targets[0].Proxies; got.Running != 1 || got.Total != 1 {
		t.Errorf("%d/%d, want 1/1", got.Running, got.Total)
	}
}

func TestAWorkloadAsksForABoundedNumberOfPlaces(t *testing.T) {
	w := newWorld(t)
	pod := webPod("web-1", "web")
	w.apply()
	w.SetExternalPod(pod, false)
	for port := range int32(maxAsked + 10) {
		w.SlotWanted(pod.Workload(), authn(port+1))
	}
	w.turn()
	group := w.hub.Group(pod.Workload())
	if n := len(group.SlotNames()); n != maxAsked*len(model.Phases) {
		t.Errorf("%d slots, want %d", n, maxAsked*len(model.Phases))
	}
	stranger := webPod("api-1", "api").Workload()
	w.SlotWanted(stranger, authn(80))
	w.turn()
	w.ProxyChanged(acks.Change{Gateway: stranger}) // its stream ended
	w.turn()
	if _, kept := w.externals.crews[stranger]; kept {
		t.Error(fmt.Sprint("what ", stranger, " asked for is kept though it has no Pod and no proxy"))
	}
}
