package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceLastGood",
		Description: "A change of a Service's plugin that the waypoint refuses leaves what ran before in force, and status says that the change is not.",
		Features:    []features.FeatureName{suite.AttachToService, suite.StatusAncestors, suite.LastGood},
		Manifests:   []string{"base/mesh.yaml", "service-last-good.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.Apply("plugin")
			w.Programmed("marker", 1)
			ran := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(reviews, ran)
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("UNLINKABLE")+`"}}`)
			w.MustSummarize("marker", suite.False(ext.ConditionProgrammed, ext.ReasonRefused, "Unable to create Wasm plugin"))
			w.MustStay(reviews, ran)
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("MARKER")+`", "pluginConfig": {"name": "healed"}}}`)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "healed"})
			w.Programmed("marker", 1)
		},
	})
}
