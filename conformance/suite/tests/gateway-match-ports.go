package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayMatchPorts",
		Description: "A plugin with match.ports runs at the listeners of those ports alone.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.MatchPorts},
		Manifests:   []string{"gateway-match-ports.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Apply("plugin")
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 81)}, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80)}, suite.Want{Status: 200})
			w.MustSummarize("nowhere", suite.False(ext.ConditionAccepted, ext.ReasonNoMatchingPort))
		},
	})
}
