package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServicePlugin",
		Description: "A plugin whose target is a Service behind a waypoint runs for requests to that Service, and neither for another Service nor for requests to the Pod.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachToService},
		Manifests:   []string{"base/mesh.yaml", "service-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			ratings := suite.Request{Address: w.Service("ratings", 9080)}
			w.MustAnswer(reviews, suite.Want{Status: 200})
			w.Apply("plugin")
			w.Programmed("marker", 1)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "marker"})
			w.MustUse("Service/ratings", "waypoint")
			w.MustStay(ratings, suite.Want{Status: 200})
			w.MustStay(suite.Request{Address: w.Pod("reviews", 9080)}, suite.Want{Status: 200})
			w.MustStay(reviews, suite.Want{Status: 200, Plugins: "marker"})
		},
	})
}
