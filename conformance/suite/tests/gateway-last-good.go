package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayLastGood",
		Description: "A change of a running plugin that the proxies refuse leaves what ran before in force, and status says that the change is not.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors, suite.LastGood},
		Manifests:   []string{"base/edge.yaml", "gateway-last-good.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.Programmed("marker", 1)
			ran := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(edge, ran)
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("UNLINKABLE")+`"}}`)
			w.MustSummarize("marker", suite.False(ext.ConditionProgrammed, ext.ReasonRefused, "Unable to create Wasm plugin"))
			w.MustStay(edge, ran)
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("MARKER")+`", "pluginConfig": {"name": "healed"}}}`)
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "healed"})
			w.Programmed("marker", 1)
		},
	})
}
