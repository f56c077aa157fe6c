package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "TargetKindUnknown",
		Description: "A target of a kind that cannot be attached to is Accepted False with the reason TargetKindUnknown, and the other targets of the plugin go on.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "target-kind-unknown.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.MustAncestor("marker", "Deployment/web", suite.False(ext.ConditionAccepted, ext.ReasonTargetKindUnknown, "Deployment"))
			w.MustAncestor("marker", "Gateway/edge", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed, "1/1 proxies run it"))
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonTargetKindUnknown, "1/2 targets accepted"))
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80)}, suite.Want{Status: 200, Plugins: "marker"})
		},
	})
}
