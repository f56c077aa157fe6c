package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewaySelector",
		Description: "A plugin with a selector runs at the Gateways whose proxies have the labels, and at no other.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.AttachBySelector},
		Manifests:   []string{"base/edge.yaml", "gateway-selector.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Proxies("front", 1)
			w.Apply("plugin")
			w.MustAnswer(suite.Request{Address: w.Gateway("front", 80)}, suite.Want{Status: 200, Plugins: "marker"})
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80)}, suite.Want{Status: 200})
			w.Programmed("marker", 1)
			w.MustStay(suite.Request{Address: w.Gateway("edge", 80)}, suite.Want{Status: 200})
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"selector": {"matchLabels": {"tier": "nowhere"}}}}`)
			w.MustAnswer(suite.Request{Address: w.Gateway("front", 80)}, suite.Want{Status: 200})
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonSelectorMatchesNothing))
		},
	})
}
