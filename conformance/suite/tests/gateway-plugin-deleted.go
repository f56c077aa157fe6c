package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayPluginDeleted",
		Description: "A plugin that is deleted runs no more, and the others of its Gateway go on.",
		Features:    []features.FeatureName{suite.AttachToGateway},
		Manifests:   []string{"base/edge.yaml", "gateway-plugin-deleted.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("first")
			w.Apply("second")
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "first,second"})
			w.Delete("first")
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "second"})
			w.Delete("second")
			w.MustAnswer(edge, suite.Want{Status: 200})
		},
	})
}
