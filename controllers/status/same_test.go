package status

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestOnlyADifferenceInOurPartsCounts(t *testing.T) {
	g := gatewayRef("gw")
	build := func(change func(*Input)) Status {
		in := Input{Plugin: wasmPlugin(g), Targets: []Target{accepted(g, 1, 1)}, Module: ready, Now: t0}
		if change != nil {
			change(&in)
		}
		return Build(in)
	}
	foreign := gatewayv1.PolicyAncestorStatus{AncestorRef: ancestorRef(g), ControllerName: "example.com/other"}
	base := build(nil)
	same := map[string]Status{
		"another time": build(func(in *Input) { in.Now = t0.Add(time.Hour) }),
		"entries and conditions of others, behind ours": {
			Ancestors: append(slices.Clone(base.Ancestors), foreign), Conditions: append(slices.Clone(base.Conditions), metav1.Condition{Type: "X"}),
			ObservedGeneration: base.ObservedGeneration, Summary: base.Summary,
		},
	}
	for name, s := range same {
		if !Same(base, s) || !Same(s, base) {
			t.Errorf("%s counts as a difference", name)
		}
		if others := HasOthers(s); others != (len(s.Ancestors) > 1) {
			t.Errorf("%s: HasOthers is %v", name, others)
		}
	}
	for name, s := range map[string]Status{
		"a count":      build(func(in *Input) { in.Targets = []Target{accepted(g, 1, 2)} }),
		"a generation": build(func(in *Input) { in.Generation = 5 }),
		"a digest":     build(func(in *Input) { in.Module.Digest = "sha256:def" }),
		"a target":     build(func(in *Input) { in.Targets = append(in.Targets, accepted(gatewayRef("b"), 1, 1)) }),
		"nothing yet":  {},
	} {
		if Same(base, s) || Same(s, base) {
			t.Errorf("%s does not count as a difference", name)
		}
	}
}
