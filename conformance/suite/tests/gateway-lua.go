package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayLua",
		Description: "A TrafficExtension with a Lua script runs at its Gateway, and its status counts the proxies.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Lua},
		Manifests:   []string{"base/edge.yaml", "gateway-lua.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.Programmed("te:lua", 1)
			if a := w.MustAnswer(edge, suite.Want{Status: 200}); a.Lua != "here" {
				t.Errorf("the backend saw x-lua %q", a.Lua)
			}
		},
	})
}
