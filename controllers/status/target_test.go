package status

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func plugins(names ...string) []model.Key {
	var out []model.Key
	for _, n := range names {
		out = append(out, model.Key{Kind: "WasmPlugin", Namespace: "default", Name: n})
	}
	return out
}

func TestATargetNamesItsPluginsInABoundedList(t *testing.T) {
	w := types.NamespacedName{Namespace: "infra", Name: "w"}
	cases := []struct {
		name string
		in   TargetInput
		want string
	}{
		{"none", TargetInput{}, ""},
		{"one", TargetInput{Plugins: plugins("a")}, "wasmpoint.dev/WasmPluginAffected=True PluginsAttached: 1 plugin is attached: WasmPlugin default/a\n"},
		{"many, in whatever order they run", TargetInput{Plugins: plugins("e", "c", "d", "a", "b")},
			"wasmpoint.dev/WasmPluginAffected=True PluginsAttached: 5 plugins are attached: WasmPlugin default/a, WasmPlugin default/b, WasmPlugin default/c, and 2 more\n"},
		{"one Istio policy", TargetInput{Unenforced: []model.Key{{Kind: "AuthorizationPolicy", Namespace: "default", Name: "a"}}},
			"wasmpoint.dev/PoliciesEnforced=False NotSupported: 1 Istio policy is not enforced here: AuthorizationPolicy default/a; these proxies are stock Envoys: attach a plugin that does the same, or use a waypoint of Istio's own class\n"},
		{"a waypoint", TargetInput{Waypoint: &WaypointBinding{Gateway: w, Bound: true}},
			"istio.io/WaypointBound=True WaypointAccepted: Successfully attached to waypoint infra/w\n"},
		{"a waypoint that does not take it", TargetInput{Waypoint: &WaypointBinding{Gateway: w, Reason: "AttachmentDenied", Message: "not allowed"}},
			"istio.io/WaypointBound=False AttachmentDenied: not allowed\n"},
	}
	for _, c := range cases {
		if got := show(TargetConditions(c.in, nil, t0)); got != c.want {
			t.Errorf("%s:\n%swant:\n%s", c.name, got, c.want)
		}
	}
}

func TestATargetsConditionsObserveItsGenerationAndKeepTheirTime(t *testing.T) {
	in := TargetInput{Generation: 3, Plugins: plugins("a"), Waypoint: &WaypointBinding{Bound: true}}
	first := TargetConditions(in, nil, t0)
	if first[0].ObservedGeneration != 3 || first[1].ObservedGeneration != 0 {
		t.Errorf("observed %d and %d, want 3 and, as Istio, none", first[0].ObservedGeneration, first[1].ObservedGeneration)
	}
	previous := append([]metav1.Condition{{Type: "Accepted", Status: "True"}}, first...)
	if again := TargetConditions(in, previous, t0.Add(time.Hour)); !reflect.DeepEqual(again, first) {
		t.Errorf("the same input gave other conditions:\n%v\n%v", again, first)
	}
	in.Waypoint.Bound = false
	if again := TargetConditions(in, previous, t0.Add(time.Hour)); again[1].LastTransitionTime == first[1].LastTransitionTime {
		t.Error("a change of the status did not change the time")
	}
}
