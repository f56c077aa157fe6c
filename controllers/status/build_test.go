package status

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 123, time.UTC)

func gatewayRef(name string) model.TargetRef {
	return model.TargetRef{Group: gatewayGroup, Kind: "Gateway", Namespace: "default", Name: name}
}

func wasmPlugin(targets ...model.TargetRef) *model.Plugin {
	return &model.Plugin{
		Key:        model.Key{Kind: "WasmPlugin", Namespace: "default", Name: "basic-auth"},
		Generation: 4,
		Type:       model.TypeHTTP, Phase: model.PhaseAuthn,
		Targets: targets,
		Wasm:    &model.Wasm{URL: "oci://localhost:5000/basic-auth:1"},
	}
}

func accepted(ref model.TargetRef, running, total int, refusals ...Refusal) Target {
	return Target{
		Verdict: model.Verdict{Target: ref, Accepted: true, Reason: ext.ReasonAccepted, Scopes: []model.Scope{{
			Gateway: types.NamespacedName{Namespace: "default", Name: ref.Name}, Port: 80,
		}}},
		Proxies: Proxies{Total: total, Running: running, Refusals: refusals},
	}
}

func rejected(ref model.TargetRef, reason, message string) Target {
	return Target{Verdict: model.Verdict{Target: ref, Reason: reason, Message: message}}
}

var ready = ModuleState{Ready: true, Digest: "sha256:abc"}

// show writes conditions as "Type=Status Reason: message" lines.
func show(list []metav1.Condition) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	return b.String()
}

func withoutReady(list []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(list), func(c metav1.Condition) bool { return c.Type == ext.ConditionReady })
}

func TestConditionsOfOneTarget(t *testing.T) {
	g := gatewayRef("gw")
	attached := "Accepted=True Accepted: attached to Gateway default/gw port 80\n"
	resolved := "ResolvedRefs=True ResolvedRefs: module sha256:abc\n"
	lua := wasmPlugin(g)
	lua.Wasm, lua.Lua = nil, "function envoy_on_request() end"
	cases := []struct {
		name   string
		plugin *model.Plugin
		target Target
		module ModuleState
		want   string
	}{
		{"a plugin that runs everywhere is programmed", wasmPlugin(g), accepted(g, 3, 3), ready,
			attached + resolved + "Programmed=True Programmed: 3/3 proxies run it\n"},
		{"a plugin that runs on some proxies is reconciling", wasmPlugin(g), accepted(g, 2, 3), ready,
			attached + resolved + "Programmed=False Reconciling: 2/3 proxies run it\n"},
		{"a plugin without proxies says so", wasmPlugin(g), accepted(g, 0, 0), ready,
			attached + resolved + "Programmed=False NoProxies: no proxy is connected\n"},
		{"a refused plugin carries Envoy's text once for all proxies that said it", wasmPlugin(g),
			accepted(g, 1, 3, Refusal{"p2", "Unable to create\n Wasm plugin a"}, Refusal{"p1", "Unable to create\n Wasm plugin a"}), ready,
			attached + resolved + "Programmed=False Refused: 1/3 proxies run it; refused by p1, p2: Unable to create Wasm plugin a\n"},
		{"a plugin whose first fetch is under way is fetching", wasmPlugin(g), accepted(g, 0, 1), ModuleState{},
			attached + "ResolvedRefs=False Fetching: fetching oci://localhost:5000/basic-auth:1\n" +
				"Programmed=False ModuleMissing: 0/1 proxies run it\n"},
		{"a plugin whose fetch failed says why, without the attempt number", wasmPlugin(g), accepted(g, 0, 1),
			ModuleState{Reason: ext.ReasonFetchFailed, Err: "oci://localhost:5000/basic-auth:1: connection refused", Attempts: 7},
			attached + "ResolvedRefs=False FetchFailed: oci://localhost:5000/basic-auth:1: connection refused\n" +
				"Programmed=False ModuleMissing: 0/1 proxies run it\n"},
		{"a plugin that runs although its module cannot be had any more is programmed", wasmPlugin(g), accepted(g, 2, 2),
			ModuleState{Reason: ext.ReasonFetchFailed, Err: "connection refused"},
			attached + "ResolvedRefs=False FetchFailed: oci://localhost:5000/basic-auth:1: connection refused\n" +
				"Programmed=True Programmed: 2/2 proxies run it\n"},
		{"a Lua plugin needs no module", lua, accepted(g, 1, 1), ModuleState{},
			attached + "ResolvedRefs=True ResolvedRefs: the source is inline; no module is needed\n" +
				"Programmed=True Programmed: 1/1 proxies run it\n"},
		{"a plugin that is not accepted has no other condition", wasmPlugin(g),
			rejected(g, ext.ReasonTargetNotFound, "Gateway default/gw does not exist"), ready,
			"Accepted=False TargetNotFound: Gateway default/gw does not exist\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Build(Input{Plugin: c.plugin, Targets: []Target{c.target}, Module: c.module, Now: t0})
			if len(got.Ancestors) != 1 {
				t.Fatalf("got %d ancestors, want 1", len(got.Ancestors))
			}
			if s := show(got.Ancestors[0].Conditions); s != c.want {
				t.Errorf("ancestor:\n%swant:\n%s", s, c.want)
			}
			if s := show(withoutReady(got.Conditions)); s != c.want {
				t.Errorf("summary:\n%swant:\n%s", s, c.want)
			}
			for _, cond := range append(got.Conditions, got.Ancestors[0].Conditions...) {
				if cond.ObservedGeneration != 4 {
					t.Errorf("%s observed generation %d, want 4", cond.Type, cond.ObservedGeneration)
				}
			}
		})
	}
}

func TestAStateNoteStandsBehindTheCounts(t *testing.T) {
	target := accepted(gatewayRef("gw"), 0, 1)
	target.Proxies.Notes = []string{"runs last good sha256:old"}
	got := Build(Input{Plugin: wasmPlugin(target.Target), Targets: []Target{target}, Module: ready, Now: t0})
	if m := got.Conditions[2].Message; m != "0/1 proxies run it; runs last good sha256:old" {
		t.Errorf("got %q", m)
	}
}

func TestAnErrorOfOneTargetIsNotReportedForAnother(t *testing.T) {
	a, b := gatewayRef("a"), gatewayRef("b")
	in := Input{Plugin: wasmPlugin(a, b, a), Module: ready, Now: t0, Targets: []Target{
		rejected(a, ext.ReasonTargetNotFound, "Gateway default/a does not exist"), accepted(b, 1, 1),
		rejected(a, ext.ReasonTargetNotFound, "Gateway default/a does not exist"),
	}}
	got := Build(in)
	if len(got.Ancestors) != 2 {
		t.Fatalf("got %d ancestors, want 2: a repeated reference stands once", len(got.Ancestors))
	}
	if n := got.Ancestors[0].AncestorRef.Name; n != "a" {
		t.Errorf("first ancestor is %s: declared order is lost", n)
	}
	if s := show(got.Ancestors[1].Conditions); !strings.HasPrefix(s, "Accepted=True") {
		t.Errorf("target b: %s", s)
	}
	want := "Accepted=False TargetNotFound: 1/2 targets accepted; Gateway default/a does not exist\n" +
		"ResolvedRefs=True ResolvedRefs: module sha256:abc\nProgrammed=True Programmed: 1/1 proxies run it\n"
	if s := show(withoutReady(got.Conditions)); s != want {
		t.Errorf("summary:\n%swant:\n%s", s, want)
	}
}

func TestTheSummaryNamesTheWorstTarget(t *testing.T) {
	a, b, c := gatewayRef("a"), gatewayRef("b"), gatewayRef("c")
	got := Build(Input{Plugin: wasmPlugin(a, b, c), Module: ready, Now: t0, Targets: []Target{
		accepted(a, 0, 0), accepted(b, 1, 1), accepted(c, 1, 2, Refusal{"p9", "bad"}),
	}})
	want := "Programmed=False Refused: 1/3 targets programmed; Gateway default/c: 1/2 proxies run it; refused by p9: bad\n"
	if s := show(withoutReady(got.Conditions[2:])); s != want {
		t.Errorf("got %swant %s", s, want)
	}
}

func TestProxiesSharedByTwoTargetsAreCountedOnceInTheSummary(t *testing.T) {
	a, b := gatewayRef("a"), model.TargetRef{Kind: "Service", Namespace: "default", Name: "reviews"}
	in := Input{Plugin: wasmPlugin(a, b), Module: ready, Now: t0,
		Targets: []Target{accepted(a, 2, 2), accepted(b, 2, 2)}, Overall: &Proxies{Total: 2, Running: 2}}
	if m := Build(in).Conditions[2].Message; m != "2/2 proxies run it" {
		t.Errorf("got %q", m)
	}
	if row := NewPluginRow(in); row.Running != 2 || row.Total != 2 {
		t.Errorf("row says %d/%d", row.Running, row.Total)
	}
	core := Build(in).Ancestors[1].AncestorRef
	if core.Group == nil || *core.Group != "" {
		t.Error("the core group must be written out: nil means Gateway API's group")
	}
}

func TestAPluginWithoutTargetsHasOneAncestorPerClassReached(t *testing.T) {
	target := func(gw, class string, running, total int) Target {
		x := accepted(gatewayRef(gw), running, total)
		x.GatewayClass = class
		return x
	}
	got := Build(Input{Plugin: wasmPlugin(), Module: ready, Now: t0, Targets: []Target{
		target("a", "wasmpoint", 1, 2), target("b", "istio", 1, 1), target("c", "wasmpoint", 1, 1),
	}})
	var lines []string
	for _, a := range got.Ancestors {
		if a.AncestorRef.Namespace != nil {
			t.Error("a GatewayClass has no namespace")
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", *a.AncestorRef.Kind, a.AncestorRef.Name, a.Conditions[2].Message))
	}
	want := []string{"GatewayClass istio 1/1 proxies run it", "GatewayClass wasmpoint 2/3 proxies run it"}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
	if m := got.Conditions[2].Message; m != "1/2 targets programmed; GatewayClass wasmpoint: 2/3 proxies run it" {
		t.Errorf("summary: %q", m)
	}
}

func TestAPluginThatReachesNothingSaysWhyInTheSummary(t *testing.T) {
	got := Build(Input{Plugin: wasmPlugin(), Now: t0, Targets: []Target{
		rejected(model.TargetRef{}, ext.ReasonSelectorMatchesNothing, "selector app=x matches the labels of no Gateway"),
	}})
	if len(got.Ancestors) != 0 {
		t.Errorf("got %d ancestors, want none", len(got.Ancestors))
	}
	if s := show(withoutReady(got.Conditions)); s != "Accepted=False SelectorMatchesNothing: selector app=x matches the labels of no Gateway\n" {
		t.Errorf("got %s", s)
	}
}

func TestTransitionTimesChangeWithTheStatusOnly(t *testing.T) {
	g := gatewayRef("gw")
	in := Input{Plugin: wasmPlugin(g), Targets: []Target{accepted(g, 0, 1)}, Module: ready, Now: t0}
	first := Build(in)
	in.Previous, in.Now = first, t0.Add(time.Minute)
	if again := Build(in); !reflect.DeepEqual(again, first) {
		t.Errorf("the same input gave another status:\n%v\n%v", again, first)
	}
	in.Targets = []Target{accepted(g, 1, 1)}
	in.Plugin.Generation = 5
	second := Build(in)
	for i, c := range second.Ancestors[0].Conditions {
		if changed := c.LastTransitionTime != first.Ancestors[0].Conditions[i].LastTransitionTime; changed != (c.Type == ext.ConditionProgrammed) {
			t.Errorf("%s: transition time changed=%v", c.Type, changed)
		}
		if c.ObservedGeneration != 5 {
			t.Errorf("%s observed %d: every condition must reach the new generation", c.Type, c.ObservedGeneration)
		}
	}
}

func TestAConditionThatObservedANewerGenerationIsKept(t *testing.T) {
	g := gatewayRef("gw")
	in := Input{Plugin: wasmPlugin(g), Targets: []Target{accepted(g, 1, 1)}, Module: ready, Now: t0}
	newer := Build(in)
	for i := range newer.Conditions {
		newer.Conditions[i].ObservedGeneration = 9
	}
	in.Previous = newer
	if got := Build(in); !reflect.DeepEqual(got.Conditions, newer.Conditions) {
		t.Errorf("got %v", got.Conditions)
	}
}

func TestOthersEntriesAreKeptAndOursAreRemovedWithTheirTarget(t *testing.T) {
	g := gatewayRef("gw")
	foreign := gatewayv1.PolicyAncestorStatus{AncestorRef: ancestorRef(g), ControllerName: "example.com/other",
		Conditions: []metav1.Condition{{Type: "Accepted", Status: "False", ObservedGeneration: 1}}}
	gone := gatewayv1.PolicyAncestorStatus{AncestorRef: ancestorRef(gatewayRef("gone")), ControllerName: ext.ControllerName}
	foreignCondition := metav1.Condition{Type: "example.com/Reviewed", Status: "True"}
	got := Build(Input{Plugin: wasmPlugin(g), Targets: []Target{accepted(g, 1, 1)}, Module: ready, Now: t0,
		Previous: Status{Ancestors: []gatewayv1.PolicyAncestorStatus{gone, foreign}, Conditions: []metav1.Condition{foreignCondition}}})
	if len(got.Ancestors) != 2 || !reflect.DeepEqual(got.Ancestors[0], foreign) || got.Ancestors[1].AncestorRef.Name != "gw" {
		t.Errorf("got %v", got.Ancestors)
	}
	if s := got.Ancestors[1].Conditions[0].Status; s != "True" {
		t.Error("the foreign entry of the same Gateway was taken for ours")
	}
	if got.Conditions[0] != foreignCondition {
		t.Errorf("summary lost the foreign condition: %v", got.Conditions)
	}
}

func TestWithoutRoomTheFailingTargetsComeFirst(t *testing.T) {
	in := Input{Module: ready, Now: t0}
	var refs []model.TargetRef
	for i := range 16 {
		ref := gatewayRef(fmt.Sprintf("g%02d", i))
		refs = append(refs, ref)
		if i == 15 {
			in.Targets = append(in.Targets, rejected(ref, ext.ReasonTargetNotFound, "missing"))
		} else {
			in.Targets = append(in.Targets, accepted(ref, 1, 1))
		}
		in.Previous.Ancestors = append(in.Previous.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef: ancestorRef(ref), ControllerName: "example.com/other"})
	}
	in.Plugin = wasmPlugin(refs...)
	in.Previous.Ancestors = in.Previous.Ancestors[:14]
	got := Build(in)
	if len(got.Ancestors) != MaxAncestors {
		t.Fatalf("got %d ancestors", len(got.Ancestors))
	}
	if n := got.Ancestors[14].AncestorRef.Name; n != "g15" {
		t.Errorf("the failing target is not shown first, but %s", n)
	}
	if m := got.Conditions[0].Message; !strings.HasSuffix(m, "; 14 targets have no room in status.ancestors (16 entries at most)") {
		t.Errorf("got %q", m)
	}
}

func TestALongRefusalIsCutBetweenCharacters(t *testing.T) {
	text := clip(strings.Repeat("ä", 600))
	if !strings.HasSuffix(text, "ä…") || len(text) > maxText+len("…") {
		t.Errorf("got %d bytes, end %q", len(text), text[len(text)-6:])
	}
}

func TestAPluginRowNamesTheProblemToSolveFirst(t *testing.T) {
	g := gatewayRef("gw")
	failed := ModuleState{Reason: ext.ReasonFetchFailed, Err: "connection refused"}
	cases := []struct {
		name   string
		target Target
		module ModuleState
		want   string
	}{
		{"the attachment before the module", rejected(g, ext.ReasonTargetNotFound, "missing"), failed, "TargetNotFound: missing"},
		{"the module before a refusal", accepted(g, 0, 1, Refusal{"p", "bad"}), failed,
			"FetchFailed: oci://localhost:5000/basic-auth:1: connection refused"},
		{"then the refusal", accepted(g, 0, 1, Refusal{"p", "bad"}), ready, "refused by p: bad"},
		{"nothing", accepted(g, 1, 1), ready, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			row := NewPluginRow(Input{Plugin: wasmPlugin(g), Targets: []Target{c.target}, Module: c.module, Now: t0})
			if row.LastError != c.want {
				t.Errorf("got %q, want %q", row.LastError, c.want)
			}
			if len(row.Targets) != 1 || row.Targets[0].Accepted != c.target.Accepted {
				t.Errorf("targets: %v", row.Targets)
			}
		})
	}
}
