package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ExternalGateway",
		Description: "A plugin on a Gateway that somebody else programs runs at its proxies, which ask for nothing but plugins.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ExternalProxies},
		Manifests:   []string{"base/web.yaml", "external-gateway.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			proxy := w.ExternalGateway("theirs", 80)
			w.MustAnswer(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200})
			w.Apply("plugin")
			w.MustAnswer(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
			w.Delete("plugin")
			w.MustAnswer(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200})
		},
	})
}
