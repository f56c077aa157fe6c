package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayProxyMissing",
		Description: "A ready Pod whose proxy is not connected keeps Programmed False, until it runs the plugin too.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "gateway-proxy-missing.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			missing := w.PodOf("edge")
			w.Apply("plugin")
			w.MustSummarize("marker", suite.True(ext.ConditionAccepted), suite.False(ext.ConditionProgrammed, ext.ReasonReconciling, "1/2 proxies run it", "not connected: "+missing.Name))
			missing.Start()
			w.Programmed("marker", 2)
		},
	})
}
