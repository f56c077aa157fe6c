package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointServiceEntry",
		Description: "The label of a ServiceEntry moves its traffic to a waypoint, with the plugin that targets it, to another one and back, and no request fails meanwhile.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachToService, suite.WaypointBinding},
		Manifests:   []string{"base/two-waypoints.yaml", "waypoint-service-entry.yaml"},
		OwnCluster:  true,
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("one", 1)
			w.Proxies("two", 1)
			w.External("partner")
			partner := suite.Request{Address: w.Entry("partner", 8080)}
			load := w.Under(partner.Address, "", "own,one", "own,two")
			for _, step := range []struct{ label, waypoint, plugins string }{{`"one"`, "one", "own,one"}, {`"two"`, "two", "own,two"}, {`null`, "", ""}} {
				w.Patch(w.ServiceEntry("partner"), `{"metadata": {"labels": {"istio.io/use-waypoint": `+step.label+`}}}`)
				w.MustUse("ServiceEntry/partner", step.waypoint)
				w.MustStay(partner, suite.Want{Status: 200, Plugins: step.plugins})
				if step.waypoint != "" {
					w.MustTarget("ServiceEntry/partner", suite.True(ext.ConditionWaypointBound, step.waypoint))
					w.MustAncestor("own", "ServiceEntry/partner", suite.True(ext.ConditionProgrammed, "1/1 proxies run it"))
				}
			}
			w.MustNotHave("ServiceEntry/partner", ext.ConditionWaypointBound)
			load.MustNotFail()
		},
	})
}
