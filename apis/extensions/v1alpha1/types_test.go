package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestAStatusThatIstioWroteIsRead(t *testing.T) {
	const text = `{"metadata":{"name":"p"},"spec":{"url":"x"},"status":{
		"observedGeneration":"7",
		"conditions":[
			{"type":"Reconciled","status":"True","observedGeneration":"7","lastProbeTime":"2026-01-02T03:04:05Z"},
			{"type":"Accepted","status":"False","reason":"Invalid","message":"m","observedGeneration":8,"lastTransitionTime":"2026-01-02T03:04:05Z"}],
		"validationMessages":[{"type":{"name":"n","code":"IST0101"},"level":"ERROR","documentationUrl":"u"}],
		"later":{"a":1}}}`
	var p WasmPlugin
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status.ObservedGeneration != 7 {
		t.Errorf("observedGeneration is %d, want 7", p.Status.ObservedGeneration)
	}
	conditions := MetaConditions(p.Status.Conditions)
	accepted := meta.FindStatusCondition(conditions, ConditionAccepted)
	if len(conditions) != 2 || accepted == nil {
		t.Fatalf("conditions are %+v", conditions)
	}
	if accepted.ObservedGeneration != 8 || accepted.Reason != "Invalid" || accepted.LastTransitionTime.Year() != 2026 {
		t.Errorf("Accepted is %+v", accepted)
	}
	if conditions[0].ObservedGeneration != 7 {
		t.Errorf("Reconciled is %+v", conditions[0])
	}
	if m := p.Status.ValidationMessages; len(m) != 1 || m[0].Type.Code != "IST0101" {
		t.Errorf("validationMessages are %+v", m)
	}
}

func TestAGenerationThatIsNoNumberIsAnError(t *testing.T) {
	for _, text := range []string{
		`{"status":{"observedGeneration":"seven"}}`,
		`{"status":{"conditions":[{"type":"A","observedGeneration":{}}]}}`,
	} {
		err := json.Unmarshal([]byte(text), &WasmPlugin{})
		if err == nil || !strings.Contains(err.Error(), "is not a whole number") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestAStatusSurvivesARoundTrip(t *testing.T) {
	in := TrafficExtension{Status: PluginStatus{
		ObservedGeneration: 3,
		Conditions: ConditionsFrom([]metav1.Condition{{
			Type: ConditionAccepted, Status: metav1.ConditionTrue, Reason: ReasonAccepted, ObservedGeneration: 3,
		}}),
	}}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"observedGeneration":3`) {
		t.Errorf("a generation must be written as a number: %s", raw)
	}
	var out TrafficExtension
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if out.Status.ObservedGeneration != 3 || len(out.Status.Conditions) != 1 || out.Status.Conditions[0] != in.Status.Conditions[0] {
		t.Errorf("read %+v, wrote %+v", out.Status, in.Status)
	}
}

func TestAnEmptyStatusIsNotWritten(t *testing.T) {
	raw, err := json.Marshal(WasmPlugin{Spec: WasmPluginSpec{WasmConfig: WasmConfig{URL: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "status") || !strings.Contains(string(raw), `"spec":{"url":"x"}`) {
		t.Errorf("written as %s", raw)
	}
}

func TestASchemeKnowsTheKinds(t *testing.T) {
	s := runtime.NewScheme()
	if err := AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"WasmPlugin", "WasmPluginList", "TrafficExtension", "TrafficExtensionList"} {
		if !s.Recognizes(GroupVersion.WithKind(kind)) {
			t.Errorf("%s is unknown", kind)
		}
	}
}
