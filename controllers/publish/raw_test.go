package publish

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWhatOthersWroteGoesOutAsItWasRead(t *testing.T) {
	u := object(t, `{"status":{
		"ancestors":[
			{"ancestorRef":{"name":"gw"},"controllerName":"wasmpoint.dev/controller","conditions":[
				{"type":"Accepted","status":"True","reason":"Accepted"},
				{"type":"example.com/Seen","status":"True","level":3}]},
			{"ancestorRef":{"name":"gw","weight":7},"controllerName":"example.com/other","conditions":[{"type":"Accepted","status":"True"}],"extra":{"a":[1]}}],
		"conditions":[
			{"type":"Reconciled","status":"True","observedGeneration":"7","lastProbeTime":"2026-01-02T03:04:05Z"},
			{"type":"Accepted","status":"True","reason":"Accepted"},
			{"type":"Reconciled","status":"True","observedGeneration":"7","second":true}]}}`)
	read, err := parse(u)
	if err != nil {
		t.Fatal(err)
	}
	next := status.Status{ObservedGeneration: 2, Summary: ext.StatusSummary{Targets: "Gateway/gw"}}
	next.Ancestors = []gatewayv1.PolicyAncestorStatus{read.status.Ancestors[1], read.status.Ancestors[0]}
	next.Ancestors[1].Conditions = []metav1.Condition{read.status.Ancestors[0].Conditions[1], {Type: "Accepted", Status: "False", Reason: "Invalid"}}
	next.Conditions = []metav1.Condition{read.status.Conditions[0], read.status.Conditions[2], {Type: "Accepted", Status: "False", Reason: "Invalid"}}
	got, err := patch("12", read, read.status, next)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"metadata":{"resourceVersion":"12"},"status":{` +
		`"ancestors":[` +
		`{"ancestorRef":{"name":"gw","weight":7},"conditions":[{"status":"True","type":"Accepted"}],"controllerName":"example.com/other","extra":{"a":[1]}},` +
		`{"ancestorRef":{"name":"gw"},"conditions":[{"level":3,"status":"True","type":"example.com/Seen"},` +
		`{"type":"Accepted","status":"False","lastTransitionTime":null,"reason":"Invalid","message":""}],"controllerName":"wasmpoint.dev/controller"}],` +
		`"conditions":[{"lastProbeTime":"2026-01-02T03:04:05Z","observedGeneration":"7","status":"True","type":"Reconciled"},` +
		`{"observedGeneration":"7","second":true,"status":"True","type":"Reconciled"},` +
		`{"type":"Accepted","status":"False","lastTransitionTime":null,"reason":"Invalid","message":""}],` +
		`"observedGeneration":2,"summary":{"module":null,"targets":"Gateway/gw"}}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEntriesThatAreAllGoneAreRemovedByName(t *testing.T) {
	previous := status.Status{Ancestors: []gatewayv1.PolicyAncestorStatus{{ControllerName: ext.ControllerName}}}
	for want, p := range map[string]status.Status{`"ancestors":null`: previous, "": {}} {
		got, err := patch("1", raw{}, p, status.Status{})
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Status map[string]json.RawMessage `json:"status"`
		}
		if err := json.Unmarshal(got, &body); err != nil {
			t.Fatal(err)
		}
		text, has := body.Status["ancestors"]
		if has != (want != "") || has && string(text) != "null" {
			t.Errorf("%d entries before: %s", len(p.Ancestors), got)
		}
	}
}

func TestAStatusThatCannotBeReadIsAnErrorThatNamesTheObject(t *testing.T) {
	_, err := parse(object(t, `{"kind":"WasmPlugin","metadata":{"namespace":"default","name":"a"},"status":{"ancestors":"none"}}`))
	if err == nil || err.Error() != "status of WasmPlugin default/a: json: cannot unmarshal string into Go struct field .ancestors of type []json.RawMessage" {
		t.Errorf("got %v", err)
	}
}
