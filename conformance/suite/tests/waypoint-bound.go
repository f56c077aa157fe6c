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
		ShortName:   "WaypointBound",
		Description: "A Service says in its condition istio.io/WaypointBound to which waypoint it is bound, or why not, and has no such condition without a label.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.WaypointBinding},
		Manifests:   []string{"base/mesh.yaml", "waypoint-bound.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			w.MustTarget("Service/reviews", suite.True(ext.ConditionWaypointBound, w.Namespace+"/waypoint"))
			service := &corev1.Service{}
			service.Namespace, service.Name = w.Namespace, "reviews"
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": "nobody"}}}`)
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonWaypointNotFound, "nobody"))
			w.MustTarget("Service/reviews", suite.False(ext.ConditionWaypointBound, ext.ReasonWaypointIsNotReady, "nobody"))
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": null}}}`)
			w.MustNotHave("Service/reviews", ext.ConditionWaypointBound)
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonNoWaypoint))
			w.MustTarget("Service/ratings", suite.True(ext.ConditionWaypointBound))
		},
	})
}
