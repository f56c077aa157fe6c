package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceFailOpen",
		Description: "A new plugin of a Service with FAIL_OPEN whose module cannot be had is left out, status says so, and it runs as soon as its module is there.",
		Features:    []features.FeatureName{suite.AttachToService, suite.FailOpen},
		Manifests:   []string{"base/mesh.yaml", "service-fail-open.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.MustUse("Service/reviews", "waypoint")
			w.MustAnswer(reviews, suite.Want{Status: 200})
			w.Apply("plugin")
			w.MustSummarize("marker", suite.True(ext.ConditionAccepted), suite.False(ext.ConditionResolvedRefs, ext.ReasonFetchFailed),
				suite.False(ext.ConditionProgrammed, ext.ReasonModuleMissing, "0/1 proxies run it"))
			w.MustStay(reviews, suite.Want{Status: 200})
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("MARKER")+`"}}`)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
		},
	})
}
