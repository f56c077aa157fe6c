package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayPluginRefused",
		Description: "A plugin that a proxy refuses is not Programmed, the message has the proxy's name and its error, and FAIL_CLOSE answers in its place.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors, suite.FailClose},
		Manifests:   []string{"base/edge.yaml", "gateway-plugin-refused.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			proxy := w.Proxies("edge", 1)[0]
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200})
			w.Apply("plugin")
			w.MustSummarize("unlinkable", suite.True(ext.ConditionAccepted),
				suite.False(ext.ConditionProgrammed, ext.ReasonRefused, "0/1 proxies run it", "refused by "+proxy.Name, "Unable to create Wasm plugin"),
				suite.False(ext.ConditionReady, ext.ReasonRefused))
			w.MustAnswer(edge, suite.Want{Status: 503})
		},
	})
}
