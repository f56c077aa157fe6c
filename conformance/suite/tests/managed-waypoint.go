package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedWaypoint",
		Description: "A waypoint that is applied, and nothing else, gets a proxy by itself, through which the traffic of its Services goes with their plugins.",
		Features:    []features.FeatureName{suite.AttachToService, suite.AttachToWaypoint, suite.Provisioning},
		Manifests:   []string{"base/mesh.yaml", "managed-waypoint.yaml"},
		OnNode:      true,
		Test: func(_ *testing.T, w *suite.World) {
			reviews, ratings := suite.Request{Address: w.Service("reviews", 9080)}, suite.Request{Address: w.Service("ratings", 9080)}
			w.MustTarget("Gateway/waypoint", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed))
			w.MustMake("waypoint", suite.AllOfWaypoint)
			w.MustTarget("Service/reviews", suite.True(ext.ConditionWaypointBound))
			w.Programmed("at-service", 1)
			w.Programmed("at-waypoint", 1)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "at-waypoint,at-service"})
			w.MustStay(reviews, suite.Want{Status: 200, Plugins: "at-waypoint,at-service"})
			w.MustStay(ratings, suite.Want{Status: 200, Plugins: "at-waypoint"})
		},
	})
}
