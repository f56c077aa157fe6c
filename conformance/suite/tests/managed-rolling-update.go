package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedRollingUpdate",
		Description: "A parameter that starts all proxies of a Gateway anew fails no request, and none passes without the plugin.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/managed.yaml", "managed-rolling-update.yaml"},
		OnNode:      true,
		Test: func(_ *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Programmed("marker", 2)
			old := w.PodsOf("edge", 2)
			marked := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(edge, marked)
			traffic := w.Load(edge, marked)
			w.Apply("change")
			w.MustReplace("edge", old, 2)
			w.Programmed("marker", 2)
			w.MustStay(edge, marked)
			w.MustNotFail(traffic)
		},
	})
}
