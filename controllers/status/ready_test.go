package status

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// kstatus is what sigs.k8s.io/cli-utils/pkg/kstatus makes of an object of a kind that it does not know: the generation
// first, then the abnormal conditions, then Ready; without any of them the object counts as current.
func kstatus(generation int64, s Status) string {
	if s.ObservedGeneration != generation {
		return "InProgress: not observed"
	}
	if meta.IsStatusConditionTrue(s.Conditions, "Stalled") {
		return "Failed"
	}
	if meta.IsStatusConditionTrue(s.Conditions, "Reconciling") {
		return "InProgress: Reconciling"
	}
	switch c := meta.FindStatusCondition(s.Conditions, "Ready"); {
	case c == nil || c.Status == metav1.ConditionTrue:
		return "Current"
	default:
		return "InProgress: " + c.Reason
	}
}

func TestKstatusWaitsUntilTheCurrentGenerationRunsEverywhere(t *testing.T) {
	g := gatewayRef("gw")
	cases := []struct {
		name   string
		target Target
		module ModuleState
		change func(*Input)
		want   string
	}{
		{"a plugin that runs everywhere", accepted(g, 3, 3), ready, nil, "Current"},
		{"one that has to reach a proxy", accepted(g, 2, 3), ready, nil, "InProgress: Reconciling"},
		{"one that a proxy refused", accepted(g, 2, 3, Refusal{"p", "bad"}), ready, nil, "InProgress: Refused"},
		{"one without proxies", accepted(g, 0, 0), ready, nil, "InProgress: NoProxies"},
		{"one whose module is not here: the module is named, not what follows from it", accepted(g, 0, 1), ModuleState{}, nil, "InProgress: Fetching"},
		{"one that runs, but whose module cannot be had again", accepted(g, 1, 1), ModuleState{Reason: ext.ReasonPullDenied, Err: "no"}, nil, "InProgress: PullDenied"},
		{"one that is attached nowhere", rejected(g, ext.ReasonTargetNotFound, "missing"), ready, nil, "InProgress: TargetNotFound"},
		{"one whose verdict is not there yet", Target{}, ready, func(in *Input) { in.Targets = nil }, "InProgress: Reconciling"},
		{"one that runs in an older generation", accepted(g, 1, 1), ready, func(in *Input) {
			in.Generation, in.Superseded = 5, "spec.url: required"
		}, "InProgress: Invalid"},
		{"one whose newer generation another writer observed", accepted(g, 1, 1), ready, func(in *Input) {
			in.Previous.Conditions = []metav1.Condition{{Type: ext.ConditionProgrammed, Status: "True", Reason: "Programmed", ObservedGeneration: 9}}
		}, "InProgress: Reconciling"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := Input{Plugin: wasmPlugin(g), Targets: []Target{c.target}, Module: c.module, Now: t0}
			if c.change != nil {
				c.change(&in)
			}
			if got := kstatus(in.generation(), Build(in)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnObservedGenerationNeverGoesBack(t *testing.T) {
	g := gatewayRef("gw")
	in := Input{Plugin: wasmPlugin(g), Targets: []Target{accepted(g, 1, 1)}, Module: ready, Now: t0, Previous: Status{ObservedGeneration: 9}}
	if got := Build(in).ObservedGeneration; got != 9 {
		t.Errorf("got %d, want 9", got)
	}
}

func TestAnOlderGenerationInForceIsSaidAndCountedButIsNotProgrammed(t *testing.T) {
	a, b := gatewayRef("a"), gatewayRef("b")
	in := Input{Plugin: wasmPlugin(a), Generation: 6, Superseded: "spec.priority: 1.5 is no integer", Module: ready, Now: t0,
		Targets: []Target{accepted(a, 3, 3)}}
	invalid := "generation 6 is invalid: spec.priority: 1.5 is no integer; generation 4 stays in force"
	want := "Accepted=False Invalid: " + invalid + "\n" +
		"ResolvedRefs=True ResolvedRefs: generation 4: module sha256:abc\n" +
		"Programmed=False Superseded: generation 4: 3/3 proxies run it\n"
	got := Build(in)
	if s := show(got.Ancestors[0].Conditions); s != want {
		t.Errorf("ancestor:\n%swant:\n%s", s, want)
	}
	if s := show(got.Conditions); s != want+"Ready=False Invalid: "+invalid+"\n" {
		t.Errorf("summary:\n%s", s)
	}
	for _, c := range append(got.Conditions, got.Ancestors[0].Conditions...) {
		if c.ObservedGeneration != 6 {
			t.Errorf("%s observed generation %d, want 6", c.Type, c.ObservedGeneration)
		}
	}
	if row := NewPluginRow(in); row.Accepted || row.Running != 3 || row.LastError != "Invalid: "+invalid {
		t.Errorf("row is %+v", row)
	}

	in.Plugin, in.Targets = wasmPlugin(a, b), append(in.Targets, rejected(b, ext.ReasonTargetNotFound, "Gateway default/b does not exist"))
	got = Build(in)
	if s := show(got.Ancestors[1].Conditions); s != "Accepted=False Invalid: "+invalid+", but not here: Gateway default/b does not exist\n" {
		t.Errorf("target b: %s", s)
	}
	want = "Accepted=False Invalid: " + invalid + "\nResolvedRefs=True ResolvedRefs: generation 4: module sha256:abc\n" +
		"Programmed=False Superseded: generation 4: 3/3 proxies run it\n"
	if s := show(withoutReady(got.Conditions)); s != want {
		t.Errorf("summary of two:\n%swant:\n%s", s, want)
	}
	in.Plugin, in.Targets = wasmPlugin(), nil
	if s := show(withoutReady(Build(in).Conditions)); s != "Accepted=False Invalid: "+invalid+"\n" {
		t.Errorf("summary of none: %s", s)
	}
}

func TestAnEntryThatObservedANewerGenerationIsNotTakenForAStaleOne(t *testing.T) {
	a, b := gatewayRef("a"), gatewayRef("b")
	later := Build(Input{Plugin: wasmPlugin(b), Generation: 9, Targets: []Target{accepted(b, 1, 1)}, Module: ready, Now: t0})
	got := Build(Input{Plugin: wasmPlugin(a), Targets: []Target{accepted(a, 1, 1)}, Module: ready, Now: t0, Previous: later})
	names := ""
	for _, x := range got.Ancestors {
		names += fmt.Sprintf("%s@%d ", x.AncestorRef.Name, x.Conditions[0].ObservedGeneration)
	}
	if names != "a@4 b@9 " {
		t.Errorf("got %s", names)
	}
}

func TestTheColumnsHoldTheFirstTargetAndTheModule(t *testing.T) {
	a, b := gatewayRef("a"), model.TargetRef{Kind: "Service", Namespace: "default", Name: "reviews"}
	lua := wasmPlugin(a)
	lua.Wasm, lua.Lua = nil, "function envoy_on_request() end"
	here := ModuleState{Ready: true, Digest: "sha256:0123456789abcdef0123"}
	inClass := accepted(a, 1, 1)
	inClass.GatewayClass = "wasmpoint"
	cases := []struct {
		name string
		in   Input
		want ext.StatusSummary
	}{
		{"one target", Input{Plugin: wasmPlugin(a), Targets: []Target{accepted(a, 1, 1)}, Module: here}, ext.StatusSummary{Targets: "Gateway/a", Module: "0123456789ab"}},
		{"several", Input{Plugin: wasmPlugin(b, a, b), Targets: []Target{rejected(b, "NoWaypoint", ""), accepted(a, 1, 1), rejected(b, "NoWaypoint", "")}, Module: here},
			ext.StatusSummary{Targets: "Service/reviews +1", Module: "0123456789ab"}},
		{"not looked at yet", Input{Plugin: wasmPlugin(a, b)}, ext.StatusSummary{Targets: "Gateway/a +1"}},
		{"no target", Input{Plugin: wasmPlugin(), Targets: []Target{inClass}, Module: here}, ext.StatusSummary{Targets: "GatewayClass/wasmpoint", Module: "0123456789ab"}},
		{"a script", Input{Plugin: lua, Targets: []Target{accepted(a, 1, 1)}}, ext.StatusSummary{Targets: "Gateway/a", Module: "lua"}},
	}
	for _, c := range cases {
		if got := Build(c.in).Summary; got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
