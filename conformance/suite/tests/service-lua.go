package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceLua",
		Description: "A TrafficExtension with a Lua script runs for its Service at the waypoint.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Lua},
		Manifests:   []string{"base/mesh.yaml", "service-lua.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.Apply("plugin")
			w.Programmed("te:lua", 1)
			w.MustUse("Service/reviews", "waypoint")
			if a := w.MustAnswer(reviews, suite.Want{Status: 200}); a.Lua != "here" {
				t.Errorf("the backend saw x-lua %q", a.Lua)
			}
		},
	})
}
