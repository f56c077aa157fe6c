package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayClassPlugin",
		Description: "A plugin of the root namespace whose target is a GatewayClass runs at every Gateway of the class; one of another namespace does not.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.AttachByGatewayClass},
		Manifests:   []string{"gatewayclass-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "root"})
			w.Programmed(w.RootNamespace()+"/root", 1)
			w.MustSummarize("elsewhere", suite.False(ext.ConditionAccepted, ext.ReasonRootNamespaceOnly))
			w.MustStay(edge, suite.Want{Status: 200, Plugins: "root"})
		},
	})
}
