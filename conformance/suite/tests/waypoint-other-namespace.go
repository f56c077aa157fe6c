package tests

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointOtherNamespace",
		Description: "A Service uses a waypoint of another namespace only if allowedRoutes of its listener admits the Service's namespace.",
		Features:    []features.FeatureName{suite.AttachToService, suite.WaypointBinding},
		Manifests:   []string{"waypoint-other-namespace.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			shared := w.Other + "/shared"
			w.Proxies(shared, 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonAttachmentDenied))
			w.MustTarget("Service/reviews", suite.Expect{Type: ext.ConditionWaypointBound, Status: "False"})
			w.MustStay(reviews, suite.Want{Status: 200})
			gateway := &gatewayv1.Gateway{}
			gateway.Namespace, gateway.Name = w.Other, "shared"
			w.Patch(gateway, `{"spec": {"listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}`)
			w.MustTarget("Service/reviews", suite.True(ext.ConditionWaypointBound, shared))
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
		},
	})
}
