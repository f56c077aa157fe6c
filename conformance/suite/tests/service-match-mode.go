package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceMatchMode",
		Description: "At a waypoint, match.mode SERVER matches and CLIENT does not.",
		Features:    []features.FeatureName{suite.AttachToService, suite.MatchMode, suite.MatchPorts},
		Manifests:   []string{"base/mesh.yaml", "service-match-mode.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.Apply("plugin")
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "server"})
			w.MustSummarize("client", suite.False(ext.ConditionAccepted, ext.ReasonNoMatchingMode))
			w.MustStay(reviews, suite.Want{Status: 200, Plugins: "server"})
		},
	})
}
