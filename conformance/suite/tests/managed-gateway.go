package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedGateway",
		Description: "A Gateway that is applied, and nothing else, gets a proxy by itself, is programmed and has an address, at which plugins run.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/edge.yaml", "managed-gateway.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200})
			w.Apply("plugin")
			w.Programmed("marker", 1)
			w.MustStay(edge, suite.Want{Status: 200, Plugins: "marker"})
			if pods := w.PodsOf("edge", 1); pods[0].Spec.NodeName == "" || pods[0].Status.ContainerStatuses[0].RestartCount > 0 {
				t.Errorf("the proxy's Pod is %+v", pods[0])
			}
		},
	})
}
