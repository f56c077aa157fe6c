package tests

import (
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceFailClose",
		Description: "A new plugin of a Service with FAIL_CLOSE whose module cannot be had is answered for with an error that names it, and runs as soon as its module is there.",
		Features:    []features.FeatureName{suite.AttachToService, suite.FailClose},
		Manifests:   []string{"base/mesh.yaml", "service-fail-close.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.MustUse("Service/reviews", "waypoint")
			w.MustAnswer(reviews, suite.Want{Status: 200})
			w.Apply("plugin")
			w.MustSummarize("marker", suite.True(ext.ConditionAccepted), suite.False(ext.ConditionResolvedRefs, ext.ReasonFetchFailed),
				suite.False(ext.ConditionProgrammed, ext.ReasonModuleMissing, "fail strategy FAIL_CLOSE in force"))
			refused := w.MustAnswer(reviews, suite.Want{Status: 503})
			if want := w.Namespace + "/marker"; !strings.Contains(refused.Body, want) {
				t.Errorf("the body is %q; it has to name %s", refused.Body, want)
			}
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.URL("MARKER")+`"}}`)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
		},
	})
}
