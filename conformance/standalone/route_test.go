package standalone_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// routeRules is the HTTPRoute web with these rules.
func routeRules(rules string) string {
	return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  parentRefs:
  - {name: edge}
  rules:
` + rules
}

// TestARuleWithAnUnsupportedFilterAnswers500 and says so in the route's status; the other rules work, and so does the rule
// once the filter is gone.
func TestARuleWithAnUnsupportedFilterAnswers500(t *testing.T) {
	const others = `  - matches: [{path: {type: PathPrefix, value: /plain}}]
    backendRefs: [{name: web, port: 9080}]
  - matches: [{path: {type: PathPrefix, value: /header}}]
    filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-route, value: "yes"}]}}]
    backendRefs: [{name: web, port: 9080}]
`
	const mirror = `  - matches: [{path: {type: PathPrefix, value: /mirror}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 9080}}}]
    backendRefs: [{name: web, port: 9080}]
`
	web, seen := backend(t, "web", "", "http")
	w := start(t, map[string]string{"web.yaml": web, "edge.yaml": edgeGateway, "route.yaml": routeRules(others + mirror)})
	edge := w.gateway("edge")
	w.answers(edge, "/plain", 200, "")
	before := seen.era("").Counts()
	w.stays(edge, "/mirror", 500, "", 10)
	if got := seen.era("").Counts().Sub(before); got.Total != 0 {
		t.Errorf("the backend saw %d requests of the rule", got.Total)
	}
	w.stays(edge, "/plain", 200, "", 10)
	if _, h, err := get(edge, "/header"); err != nil || h.Get("x-route") != "yes" {
		t.Errorf("the supported filter: %v, %v", h, err)
	}
	c := w.routeCondition("Accepted")
	if c.Status != metav1.ConditionFalse || c.Reason != "UnsupportedValue" || !strings.Contains(c.Message, "RequestMirror") ||
		!strings.Contains(c.Message, "spec.rules[2]") {
		t.Errorf("the condition is %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	t.Log(c.Message)

	w.write("route.yaml", routeRules(others+strings.Replace(mirror, "    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 9080}}}]\n", "", 1)))
	w.answers(edge, "/mirror", 200, "")
	if c := w.routeCondition("Accepted"); c.Status != metav1.ConditionTrue {
		t.Errorf("healed, the condition is %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
}

// routeCondition is a condition of the HTTPRoute web, as the admin endpoint shows the object.
func (w *world) routeCondition(kind string) metav1.Condition {
	w.t.Helper()
	resp, err := client.Get("http://" + w.options.AdminAddr + "/status/HTTPRoute/default/web?o=json")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var route gatewayv1.HTTPRoute
	if err := json.Unmarshal(body, &route); err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	for _, p := range route.Status.Parents {
		for _, c := range p.Conditions {
			if c.Type == kind {
				return c
			}
		}
	}
	w.t.Fatalf("no condition %s in %s", kind, body)
	return metav1.Condition{}
}
