package tests

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedDeletion",
		Description: "With a Gateway go all objects that were made for it, its Pods, and its address.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/managed.yaml", "managed-deletion.yaml"},
		OnNode:      true,
		Test: func(_ *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker"})
			w.MustMake("edge", suite.AllOfIngress)
			gateway := &gatewayv1.Gateway{}
			gateway.Namespace, gateway.Name = w.Namespace, "edge"
			w.Remove(gateway)
			w.MustMake("edge", "")
			w.PodsOf("edge", 0)
			w.Eventually("nobody answers at the address", func() string {
				if a, err := w.Send(edge); err == nil {
					return a.Body
				}
				return ""
			})
		},
	})
}
