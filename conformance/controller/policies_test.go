package controller

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

const meshPolicies = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
spec: {ports: [{port: 80}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: shop}
spec:
  targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}
  jwtRules: [{issuer: somebody}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: of-workloads, namespace: shop}
spec: {action: DENY}
`

func TestIstioPoliciesThatAWaypointDoesNotEnforceAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testcluster.WithIstioCRDs())
	w.ApplyYAML([]byte(provisioned + "---" + meshPolicies))
	w.start("a").ready()
	said := func(want string) {
		t.Helper()
		w.eventually("the waypoint says "+want, func() (bool, string) {
			gw := &gatewayv1.Gateway{}
			if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "waypoint"}, gw); err != nil {
				return false, err.Error()
			}
			got := ""
			for _, c := range gw.Status.Conditions {
				if c.Type == "wasmpoint.dev/PoliciesEnforced" {
					got = string(c.Status) + " " + c.Reason + ": " + c.Message
				}
			}
			return strings.HasPrefix(got, want) && (want != "" || got == ""), got
		})
	}
	said("False NotSupported: 1 Istio policy is not enforced here: RequestAuthentication shop/jwt;")
	policy := `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec:
  targetRefs: [{kind: Service, group: "", name: cart}]
  rules: [{to: [{operation: {methods: [GET]}}]}]
`
	w.ApplyYAML([]byte(policy))
	said("False NotSupported: 2 Istio policies are not enforced here: RequestAuthentication shop/jwt, AuthorizationPolicy shop/readers;")
	if !strings.Contains(w.log.String(), "not enforced at this gateway") || !strings.Contains(w.log.String(), "AuthorizationPolicy shop/readers") {
		t.Error("the log does not name the policies")
	}
	w.gone("AuthorizationPolicy", "readers")
	said("False NotSupported: 1 Istio policy is not enforced here: RequestAuthentication shop/jwt;")
	w.gone("RequestAuthentication", "jwt")
	said("")
}

// gone deletes an Istio policy in the namespace shop.
func (w *world) gone(kind, name string) {
	w.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("security.istio.io/v1")
	u.SetKind(kind)
	u.SetNamespace("shop")
	u.SetName(name)
	if err := w.Client().Delete(context.Background(), u); err != nil {
		w.t.Fatal(err)
	}
}
