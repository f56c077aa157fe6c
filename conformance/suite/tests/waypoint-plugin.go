package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointPlugin",
		Description: "A plugin whose target is a waypoint runs for every Service that uses it.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.StatusAncestors},
		Manifests:   []string{"base/mesh.yaml", "waypoint-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			w.Apply("plugin")
			for _, service := range []string{"reviews", "ratings"} {
				w.MustAnswer(suite.Request{Address: w.Service(service, 9080)}, suite.Want{Status: 200, Plugins: "marker"})
			}
			w.Programmed("marker", 1)
			w.MustAncestor("marker", "Gateway/waypoint", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed, "1/1 proxies run it"))
			w.MustSummarize("marker", suite.True(ext.ConditionWaypointAccepted))
		},
	})
}
