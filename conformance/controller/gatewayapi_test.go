package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestClassesAreAcceptedWithTheFeaturesThatWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ApplyYAML([]byte(provisioned + `---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: somebody}
spec: {controllerName: example.com/other}
`))
	w.start("a").ready()
	class := func(name string) *gatewayv1.GatewayClass {
		c := &gatewayv1.GatewayClass{}
		if err := w.Client().Get(context.Background(), client.ObjectKey{Name: name}, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, features := range map[string]bool{"wasmpoint": true, "wasmpoint-waypoint": false} {
		w.eventually(name+" is accepted", func() (bool, string) {
			c := class(name)
			return says(c.Status.Conditions, c.Generation, "Accepted=True Accepted: Gateways of the class get proxies"), fmt.Sprintf("%+v", c.Status)
		})
		list := class(name).Status.SupportedFeatures
		if features != (len(list) > 10) || !slices.IsSortedFunc(list, func(a, b gatewayv1.SupportedFeature) int { return strings.Compare(string(a.Name), string(b.Name)) }) {
			t.Errorf("%s: features %v", name, list)
		}
	}
	if c := class("somebody"); says(c.Status.Conditions, c.Generation, "Accepted=True Accepted: Gateways of the class get proxies") {
		t.Error("somebody else's class is accepted")
	}
	w.ApplyYAML([]byte(`
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: wasmpoint}
spec: {controllerName: wasmpoint.dev/controller, parametersRef: {group: "", kind: ConfigMap, name: nowhere, namespace: shop}}
`))
	w.eventually("the class misses its parameters", func() (bool, string) {
		c := class("wasmpoint")
		return says(c.Status.Conditions, c.Generation, "Accepted=False InvalidParameters: GatewayClass wasmpoint: spec.parametersRef: ConfigMap shop/nowhere does not exist; create it, or remove the reference"), fmt.Sprintf("%+v", c.Status)
	})
}

// foreignParent is an entry of another controller for a route.
const foreignParent = `{"parentRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"other","port":81},"controllerName":"example.com/other",` +
	`"conditions":[{"type":"Accepted","status":"False","reason":"Odd","message":"mine","lastTransitionTime":"2026-01-02T03:04:05Z","observedGeneration":7}]}`

// parents are the entries of a route's status as texts.
func (w *world) parents(name string) []string {
	w.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("gateway.networking.k8s.io/v1")
	u.SetKind("HTTPRoute")
	if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: name}, u); err != nil {
		w.t.Fatal(err)
	}
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "parents")
	var out []string
	for _, p := range list {
		text, err := json.Marshal(p)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	normal := func(s string) string {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return normal(a) == normal(b)
}

func TestAGatewayAndItsRoutesSayWhatIsSoAndAreWrittenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := free(t)
	w.ApplyYAML([]byte(`
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop, annotations: {wasmpoint.dev/listen-addresses: ` + address + `}}
spec:
  gatewayClassName: wasmpoint
  infrastructure: {parametersRef: {group: "", kind: ConfigMap, name: inside}}
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
` + inside + `
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: shop}
spec:
  parentRefs: [{name: edge}, {name: other, port: 81}]
  rules:
  - filters: [{type: RequestRedirect, requestRedirect: {hostname: passed.example}}]
`))
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "all"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"parents":[`+foreignParent+`]}}`))
	if err := w.Client().Status().Patch(context.Background(), route, patch); err != nil {
		t.Fatal(err)
	}
	r := w.start("a").ready()
	edge := types.NamespacedName{Namespace: "shop", Name: "edge"}
	gw := w.gateway(edge, "waits for its proxies", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Accepted=True Accepted: the Gateway is valid") &&
			says(gw.Status.Conditions, 1, "Programmed=False Pending: no proxy is connected")
	})
	if len(gw.Status.Addresses) != 1 || len(gw.Status.Listeners) != 1 || gw.Status.Listeners[0].AttachedRoutes != 1 ||
		!says(gw.Status.Listeners[0].Conditions, 1, "ResolvedRefs=True ResolvedRefs: all references resolve") {
		t.Errorf("status %+v", gw.Status)
	}
	r.proxy("edge-1", edge)
	gw = w.gateway(edge, "is programmed", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Programmed=True Programmed: every connected proxy has the listeners")
	})
	w.eventually("the route says that it is attached", func() (bool, string) {
		list := w.parents("all")
		return len(list) == 2 && strings.Contains(list[1], `"controllerName":"wasmpoint.dev/controller"`) && strings.Contains(list[1], `"the route is attached"`), fmt.Sprint(list)
	})
	if list := w.parents("all"); !sameJSON(t, list[0], foreignParent) {
		t.Errorf("the entry of another controller was %s, is %s", foreignParent, list[0])
	}

	// What did not change its status keeps its time, whatever else changes.
	since := acceptedSince(gw)
	w.update(gw, func() {
		gw.Spec.Listeners = append(gw.Spec.Listeners, gatewayv1.Listener{Name: "second", Port: 8080, Protocol: "HTTP", Hostname: ptrTo(gatewayv1.Hostname("a.example"))})
	})
	gw = w.gateway(edge, "has a second listener", func(gw *gatewayv1.Gateway) bool {
		return gw.Generation == 2 && len(gw.Status.Listeners) == 2 && says(gw.Status.Conditions, 2, "Programmed=True Programmed: every connected proxy has the listeners")
	})
	if acceptedSince(gw) != since {
		t.Errorf("Accepted changed its time from %s to %s, but not its status", since, acceptedSince(gw))
	}
	// Somebody takes our entry away: it is back, and then nothing more is written.
	if err := w.Client().Status().Patch(context.Background(), route, patch); err != nil {
		t.Fatal(err)
	}
	w.eventually("our entry is back", func() (bool, string) { l := w.parents("all"); return len(l) == 2, fmt.Sprint(l) })
	writes := func() string {
		if err := w.Client().Get(context.Background(), client.ObjectKeyFromObject(route), route); err != nil {
			t.Fatal(err)
		}
		if err := w.Client().Get(context.Background(), edge, gw); err != nil {
			t.Fatal(err)
		}
		return route.ResourceVersion + " " + gw.ResourceVersion
	}
	before := writes()
	w.ApplyYAML([]byte(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: later, namespace: shop}, spec: {parentRefs: [{name: edge, sectionName: second}]}}`))
	w.eventually("a later route is attached", func() (bool, string) { l := w.parents("later"); return len(l) == 1, fmt.Sprint(l) })
	w.gateway(edge, "counts it", func(gw *gatewayv1.Gateway) bool {
		return len(gw.Status.Listeners) == 2 && gw.Status.Listeners[1].AttachedRoutes+gw.Status.Listeners[0].AttachedRoutes == 3
	})
	if after := writes(); strings.Fields(after)[0] != strings.Fields(before)[0] {
		t.Errorf("the route was written again: %s, %s", before, after)
	}

	// The Gateway goes to another class, and what we said goes; so does our entry on the route, and nobody else's.
	w.update(gw, func() { gw.Spec.GatewayClassName = "somebody" })
	w.gateway(edge, "says nothing of ours", func(gw *gatewayv1.Gateway) bool {
		return len(gw.Status.Listeners) == 0 && len(gw.Status.Addresses) == 0 && acceptedSince(gw) == ""
	})
	w.eventually("the route has the other's entry alone", func() (bool, string) {
		l := w.parents("all")
		return len(l) == 1 && sameJSON(t, l[0], foreignParent), fmt.Sprint(l)
	})
}

func ptrTo[T any](v T) *T { return &v }

// acceptedSince is since when Accepted is what it is, "" without that condition of ours.
func acceptedSince(gw *gatewayv1.Gateway) string {
	for _, c := range gw.Status.Conditions {
		if c.Type == "Accepted" && c.Reason != "Pending" {
			return c.LastTransitionTime.Format(time.RFC3339)
		}
	}
	return ""
}

func TestTheAddressOfAWaypointComesWithItsFirstProxyAndStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := free(t)
	w.ApplyYAML([]byte(`
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop, annotations: {wasmpoint.dev/listen-addresses: ` + address + `}}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
`))
	r := w.start("a").ready()
	name := types.NamespacedName{Namespace: "shop", Name: "waypoint"}
	w.makes("shop", "waypoint-wasmpoint-waypoint", allOfWaypoint)
	gw := w.gateway(name, "waits for its proxies", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Programmed=False Pending: no proxy is connected")
	})
	if len(gw.Status.Addresses) > 0 {
		t.Errorf("a waypoint without proxies has addresses %v: its Services' traffic would be lost", gw.Status.Addresses)
	}
	envoy := r.proxy("waypoint-1", name)
	gw = w.gateway(name, "is programmed", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Programmed=True Programmed: every connected proxy has the listeners")
	})
	addresses := fmt.Sprint(gw.Status.Addresses[0].Value)
	envoy.Stop()
	gw = w.gateway(name, "misses its proxy", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Programmed=False Pending: no proxy is connected")
	})
	if len(gw.Status.Addresses) != 1 || gw.Status.Addresses[0].Value != addresses {
		t.Errorf("the addresses were %s, are %v", addresses, gw.Status.Addresses)
	}
}
