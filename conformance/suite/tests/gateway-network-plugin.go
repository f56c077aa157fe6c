package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayNetworkPlugin",
		Description: "A NETWORK plugin runs for the connections of a Gateway's HTTP listener, before they are read as HTTP.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.NetworkPlugins},
		Manifests:   []string{"base/edge.yaml", "gateway-network-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200})
			w.Apply("plugin")
			w.MustAnswer(edge, suite.Want{Status: 400})
			w.Programmed("one", 1)
			w.Delete("plugin")
			w.MustAnswer(edge, suite.Want{Status: 200})
		},
	})
}
