package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointClassPlugin",
		Description: "A plugin of the root namespace whose target is a GatewayClass runs for every Service of every waypoint of the class.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachByGatewayClass},
		Manifests:   []string{"waypoint-class-plugin.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			w.Apply("plugin")
			w.MustAnswer(suite.Request{Address: w.Service("reviews", 9080)}, suite.Want{Status: 200, Plugins: "root"})
			w.Programmed(w.RootNamespace()+"/waypoints", 1)
		},
	})
}
