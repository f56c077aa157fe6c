package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointLabelMoves",
		Description: "A Service's traffic goes to a waypoint with its label, to another one with another label and past all without, its own plugin follows, and no request fails meanwhile.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachToService, suite.WaypointBinding},
		Manifests:   []string{"base/two-waypoints.yaml", "waypoint-label-moves.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			one, two := w.Proxies("one", 1)[0], w.Proxies("two", 1)[0]
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			service := &corev1.Service{}
			service.Namespace, service.Name = w.Namespace, "reviews"
			load := w.Under(reviews.Address, "", "own,one", "own,two")
			for _, step := range []struct{ label, waypoint, plugins string }{
				{`"one"`, "one", "own,one"}, {`"two"`, "two", "own,two"}, {`"one"`, "one", "own,one"}, {`null`, "", ""},
			} {
				w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": `+step.label+`}}}`)
				w.MustUse("Service/reviews", step.waypoint)
				w.MustStay(reviews, suite.Want{Status: 200, Plugins: step.plugins})
			}
			w.MustNotHave("Service/reviews", ext.ConditionWaypointBound)
			for _, proxy := range []*suite.Proxy{one, two} {
				proxy.MustNotListen("/Service/" + w.Namespace + "/reviews/") // the grace is over
			}
			load.MustNotFail()
		},
	})
}
