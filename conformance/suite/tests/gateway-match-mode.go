package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayMatchMode",
		Description: "At an ingress Gateway, match.mode CLIENT matches and SERVER does not.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.MatchMode},
		Manifests:   []string{"base/edge.yaml", "gateway-match-mode.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "client"})
			w.MustSummarize("server", suite.False(ext.ConditionAccepted, ext.ReasonNoMatchingMode))
			w.MustStay(edge, suite.Want{Status: 200, Plugins: "client"})
		},
	})
}
