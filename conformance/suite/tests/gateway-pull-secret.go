package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayPullSecret",
		Description: "A module is pulled with the credentials of imagePullSecret; while the Secret is missing it is not pulled, and it is as soon as the Secret appears.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.PullSecret},
		Manifests:   []string{"base/edge.yaml", "gateway-pull-secret.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.MustSummarize("marker", suite.False(ext.ConditionResolvedRefs, ext.ReasonPullSecretNotFound, "registry"))
			w.Apply("secret")
			w.Programmed("marker", 1)
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker"})
		},
	})
}
