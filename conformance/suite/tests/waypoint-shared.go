package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointShared",
		Description: "Services come to a waypoint of another namespace and leave it, by their own labels and by their namespace's, as its owner admits namespaces and admits them no more, and no request fails meanwhile.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachToService, suite.WaypointBinding},
		Manifests:   []string{"waypoint-shared.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			shared := w.Other + "/shared"
			w.Proxies(shared, 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			service, namespace, gateway := &corev1.Service{}, &corev1.Namespace{}, &gatewayv1.Gateway{}
			service.Namespace, service.Name, namespace.Name = w.Namespace, "reviews", w.Namespace
			gateway.Namespace, gateway.Name = w.Other, "shared"
			load := w.Under(reviews.Address, "", "own,shared")
			here := func() {
				w.MustUse("Service/reviews", shared)
				w.MustStay(reviews, suite.Want{Status: 200, Plugins: "own,shared"})
				w.MustTarget("Service/reviews", suite.True(ext.ConditionWaypointBound, shared))
			}
			away := func() {
				w.MustUse("Service/reviews", "")
				w.MustStay(reviews, suite.Want{Status: 200})
			}
			here()
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": null, "istio.io/use-waypoint-namespace": null}}}`)
			away()
			w.Patch(namespace, `{"metadata": {"labels": {"istio.io/use-waypoint": "shared", "istio.io/use-waypoint-namespace": "`+w.Other+`"}}}`)
			here()
			admit := func(from string) {
				w.Patch(gateway, `{"spec": {"listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE", "allowedRoutes": {"namespaces": {"from": "`+from+`"}}}]}}`)
			}
			admit("Same")
			away()
			w.MustTarget("Service/reviews", suite.False(ext.ConditionWaypointBound, ext.ReasonAttachmentDenied, "does not admit namespace "+w.Namespace, "allowedRoutes"))
			w.MustSummarize("own", suite.False(ext.ConditionAccepted, ext.ReasonAttachmentDenied))
			admit("All")
			here()
			load.MustNotFail()
		},
	})
}
