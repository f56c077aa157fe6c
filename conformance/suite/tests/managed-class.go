package tests

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedClass",
		Description: "A class of any name that names our controller gets proxies, a Gateway of somebody else's class gets nothing and no word, and one that becomes somebody else's loses what was made for it.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"managed-class.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			w.MustTarget("GatewayClass/"+w.Namespace+"-ours", suite.True(ext.ConditionAccepted))
			w.Gateway("ours", 80)
			for _, o := range w.MustMake("ours", suite.AllOfIngress) {
				if want := "ours-" + w.Namespace + "-ours"; o.Name != want {
					t.Errorf("%s is called %s, want %s", o.Kind, o.Name, want)
				}
			}
			untouched := func(name string) {
				t.Helper()
				gateway := &gatewayv1.Gateway{}
				w.Get(client.ObjectKey{Name: name}, gateway)
				for _, c := range gateway.Status.Conditions {
					if c.Reason != string(gatewayv1.GatewayReasonPending) || c.Message != "Waiting for controller" { // the API's own default
						t.Errorf("Gateway %s was given the condition %+v", name, c)
					}
				}
				if len(gateway.Status.Addresses) > 0 {
					t.Errorf("Gateway %s was given the addresses %+v", name, gateway.Status.Addresses)
				}
			}
			// The Gateway ours was applied after it, so it was looked at.
			w.MustMake("foreign", "")
			untouched("foreign")
			gateway := &gatewayv1.Gateway{}
			gateway.Namespace, gateway.Name = w.Namespace, "ours"
			w.Patch(gateway, `{"spec": {"gatewayClassName": "`+w.Namespace+`-foreign"}}`)
			w.MustMake("ours", "")
			w.PodsOf("ours", 0)
			w.MustMake("foreign", "")
			untouched("foreign")
		},
	})
}
