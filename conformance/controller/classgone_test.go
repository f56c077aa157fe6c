package controller

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const largeClass = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: waypoint-large
  annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}
spec: {controllerName: wasmpoint.dev/controller}
`

func TestWhatWasMadeForAGatewayOutlivesItsClass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ApplyYAML([]byte(provisioned + "---" + largeClass + `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: way, namespace: shop, annotations: {wasmpoint.dev/listen-addresses: ` + free(t) + `}}
spec:
  gatewayClassName: waypoint-large
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
`))
	r := w.start("a", sameAddress).ready()
	way := types.NamespacedName{Namespace: "shop", Name: "way"}
	w.makes("shop", "way-waypoint-large", allOfWaypoint)
	r.proxy("way-1", way)
	gw := w.gateway(way, "is programmed", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, 1, "Programmed=True Programmed: every connected proxy has the listeners")
	})
	before, address := w.versions("shop", "way-waypoint-large"), gw.Status.Addresses[0].Value

	class := &gatewayv1.GatewayClass{}
	class.Name = "waypoint-large"
	if err := w.Client().Delete(context.Background(), class); err != nil {
		t.Fatal(err)
	}
	stays := func(when, marker string) {
		t.Helper()
		w.eventually(when, func() (bool, string) { return strings.Contains(w.log.String(), "a GatewayClass is "), "" })
		// What comes after it shows that it was looked at.
		w.ApplyYAML([]byte(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ` + marker + `, namespace: shop}
spec:
  gatewayClassName: wasmpoint
  listeners: [{name: http, port: 80, protocol: HTTP}]
`))
		w.makes("shop", marker+"-wasmpoint", allOfIngress)
		w.gateway(types.NamespacedName{Namespace: "shop", Name: marker}, "has a status", func(gw *gatewayv1.Gateway) bool {
			return says(gw.Status.Conditions, 1, "Accepted=True Accepted: the Gateway is valid")
		})
		if got := strings.Join(w.made("shop", "way-waypoint-large"), " "); got != allOfWaypoint {
			t.Fatalf("%s: there is %s, want %s", when, got, allOfWaypoint)
		}
		if after := w.versions("shop", "way-waypoint-large"); after != before {
			t.Errorf("%s: objects were written: %s, %s", when, before, after)
		}
		if err := w.Client().Get(context.Background(), way, gw); err != nil || len(gw.Status.Addresses) != 1 || gw.Status.Addresses[0].Value != address {
			t.Errorf("%s: the status is %+v, %v; want address %s: ztunnels would go around the waypoint", when, gw.Status, err, address)
		}
	}
	stays("the class is gone", "first")
	r.stop()
	w.start("b", sameAddress).ready()
	w.eventually("the new leader leads", func() (bool, string) { return strings.Count(w.log.String(), "this replica leads") == 2, "" })
	stays("a new controller never saw the class", "second")

	// Somebody else's class of that name takes the Gateway over.
	w.ApplyYAML([]byte(strings.Replace(largeClass, "wasmpoint.dev/controller", "example.com/other", 1)))
	w.makes("shop", "way-waypoint-large", "")
	w.gateway(way, "says nothing of ours", func(gw *gatewayv1.Gateway) bool { return len(gw.Status.Addresses) == 0 })
}
