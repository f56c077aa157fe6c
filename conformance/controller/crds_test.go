//go:build faults

package controller

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

const wasmPlugins = "wasmplugins." + extv1.GroupName

//go:embed testdata/istio_wasmplugins.yaml
var istiosCRD []byte

// TestFaultsOfCRDs begins without WasmPlugin's CRD, gets Istio's, under which anything can be stored, and then ours. The
// parts need the ones before them.
func TestFaultsOfCRDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testcluster.WithoutCRDs(wasmPlugins))
	r := w.start("a").ready()
	running := w.scene("running")
	envoy := r.proxy("running-1", running.gateway)
	running.becomes("", passed)

	t.Run("a CRD that is installed later, in Istio's older form, is picked up and status is written", func(t *testing.T) {
		s := running.in(t)
		w.ApplyYAML(istiosCRD)
		s.whenServed(s.guardYAML(s.basicAuth(), "one", ""))
		s.guarded("one")
		p := s.programmed()
		if len(p.Status.Ancestors) != 1 || p.Status.Summary.Targets != "Gateway/gw" {
			t.Errorf("status %+v", p.Status)
		}
	})
	t.Run("fields of status that nobody defined survive under Istio's CRD", func(t *testing.T) {
		s := running.in(t)
		theirs := map[string]any{"type": "Reconciled", "status": "True", "lastProbeTime": "2026-01-02T03:04:05Z", "extra": map[string]any{"n": int64(1)}}
		messages := []any{map[string]any{"type": map[string]any{"name": "Note", "code": "IST0001"}, "level": "INFO"}}
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			u := s.raw()
			conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
			_ = unstructured.SetNestedSlice(u.Object, append([]any{theirs}, conditions...), "status", "conditions") // maps of texts
			_ = unstructured.SetNestedSlice(u.Object, messages, "status", "validationMessages")
			return s.Client().Status().Update(context.Background(), u)
		})
		if err != nil {
			t.Fatal(err)
		}
		s.guard("two")
		s.guarded("two")
		s.programmed()
		u := s.raw()
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		got, _, _ := unstructured.NestedSlice(u.Object, "status", "validationMessages")
		if fmt.Sprint(conditions[0]) != fmt.Sprint(theirs) || fmt.Sprint(got) != fmt.Sprint(messages) {
			text, _ := json.Marshal(u.Object["status"])
			t.Errorf("the status is %s", text)
		}
	})
	t.Run("a valid plugin that is edited to an invalid form stays in force as it was, and says so", func(t *testing.T) {
		s := running.in(t)
		l := s.load("two")
		s.ApplyYAML([]byte(s.guardYAML(s.basicAuth(), "three", "  phase: NO_SUCH_PHASE\n")))
		s.status("says which generation is in force", superseded)
		s.guarded("two")
		zeroFailures(t, l)
	})
	t.Run("plugins that are invalid at first sight are refused and run nowhere", func(t *testing.T) {
		s := w.in(t).scene("invalid")
		r.in(t).proxy("invalid", s.gateway)
		for what, more := range map[string]string{
			"both selector and targetRefs": "  selector: {matchLabels: {a: b}}\n",
			"an unknown phase":             "  phase: NO_SUCH_PHASE\n",
			"a reserved variable":          "  vmConfig: {env: [{name: ISTIO_META_X, value: some}]}\n",
		} {
			s.ApplyYAML([]byte(s.guardYAML(s.basicAuth(), "one", more)))
			s.status("is refused with "+what, refused)
			s.becomes("", passed)
			s.removeGuard()
		}
		s.ApplyYAML([]byte(s.guardYAML(s.basicAuth(), "one", "  phase: NO_SUCH_PHASE\n")))
		s.status("is refused", refused)
	})
	t.Run("a plugin whose fields have the wrong types is refused, and stops nothing but itself", func(t *testing.T) {
		s := w.in(t).scene("mistyped")
		s.ApplyYAML([]byte(s.guardYAML(s.basicAuth(), "one", "  priority: high\n  vmConfig: [1]\n")))
		other := w.in(t).scene("beside")
		r.in(t).proxy("beside", other.gateway)
		other.guard("one")
		other.guarded("one")
		other.guard("two")
		other.guarded("two")
		other.programmed()
		s.eventually("its status says what is wrong", func() (bool, string) {
			text, _ := json.Marshal(s.raw().Object["status"])
			return strings.Contains(string(text), "spec.priority: must be a whole number"), string(text)
		})
	})
	t.Run("what is stored stays so when the rules come", func(t *testing.T) {
		w.InstallCRDs(wasmPlugins)
		s := running.in(t)
		s.eventually("our rules are in force", func() (bool, string) {
			err := s.try(strings.Replace(s.guardYAML(s.basicAuth(), "x", "  phase: STILL_NO_PHASE\n"), "name: guard", "name: rejected", 1))
			return err != nil && strings.Contains(err.Error(), "phase"), fmt.Sprint(err)
		})
		s.status("says which generation is in force", superseded)
		s.guarded("two")
		if s := w.in(t).at("invalid"); !refused(s.status("is refused", refused)) {
			t.Error("it was accepted")
		}
	})
	t.Run("the last valid form stays in force over a restart of the controller", func(t *testing.T) {
		s := running.in(t)
		envoy.Stop()
		r.stop()
		mark := len(w.log.String())
		r = w.start("a").ready()
		r.in(t).proxy("running-2", s.gateway)
		s.guarded("two")
		w.in(t).loggedSince(mark, "this replica leads")
		s.leaseMoves(2) // by then, a leader has looked at everything
		s.status("says which generation is in force", superseded)
		s.guarded("two")
	})
}

// superseded tells that an older generation than the object's is in force, and that the condition says so.
func superseded(p *extv1.WasmPlugin) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Accepted" && c.ObservedGeneration == p.Generation {
			return c.Status == "False" && c.Reason == extv1.ReasonInvalid && strings.Contains(c.Message, "stays in force")
		}
	}
	return false
}

// refused tells that the plugin is invalid and that nothing of it is in force.
func refused(p *extv1.WasmPlugin) bool {
	return is("Accepted", "False")(p) && !superseded(p) && strings.Contains(message(p, "Accepted"), "spec")
}

func (s *scene) raw() *unstructured.Unstructured {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(extv1.GroupVersion.WithKind(extv1.KindWasmPlugin))
	if err := s.Client().Get(context.Background(), s.key(), u); err != nil {
		s.t.Fatal(err)
	}
	return u
}

// at is a scene that is there already.
func (w *world) at(name string) *scene {
	return &scene{world: w, namespace: name, gateway: client.ObjectKey{Namespace: name, Name: "gw"}}
}
