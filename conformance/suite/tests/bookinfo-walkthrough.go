package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "BookinfoWalkthrough",
		Description: "The walk-through of the README in a cluster, with proxies that come by themselves: basic-auth at the gateway, at the namespace's waypoint and for the Service reviews at one of its own, then all of them gone, then from the root namespace.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.AttachToService, suite.Provisioning, suite.WaypointBinding},
		Manifests:   []string{"bookinfo-walkthrough.yaml"},
		OnNode:      true,
		Test: func(_ *testing.T, w *suite.World) {
			const admin, owner, ok = "admin3:admin3", "1t-in3:admin3", "ok:test"
			gateway := suite.Request{Address: w.Gateway("bookinfo-gateway", 80), Path: "/productpage"}
			page := suite.Request{Address: w.Service("productpage", 9080), Path: "/productpage"}
			reviews := suite.Request{Address: w.Service("reviews", 9080), Path: "/reviews/1"}
			answers := func(r suite.Request, credentials string, status int) {
				r.Credentials = credentials
				w.MustAnswer(r, suite.Want{Status: status})
				if status == 401 { // none gets through, neither now nor a moment later
					w.MustStay(r, suite.Want{Status: status})
				}
			}
			answers(gateway, "", 200)

			w.Apply("plugin on Gateway bookinfo-gateway")
			answers(gateway, "", 401)
			answers(gateway, admin, 200)

			w.Apply("waypoint for the namespace")
			namespace := &corev1.Namespace{}
			namespace.Name = w.Namespace
			w.Patch(namespace, `{"metadata": {"labels": {"istio.io/use-waypoint": "waypoint"}}}`)
			w.MustUse("Service/productpage", "waypoint")
			answers(page, "", 200)

			w.Apply("plugin on Gateway waypoint")
			answers(page, "", 401)
			answers(page, admin, 200)

			w.Apply("waypoint for reviews")
			service := &corev1.Service{}
			service.Namespace, service.Name = w.Namespace, "reviews"
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": "reviews-svc-waypoint"}}}`)
			w.MustUse("Service/reviews", "reviews-svc-waypoint")
			w.Apply("plugin on Service reviews")
			answers(reviews, "", 401)
			answers(reviews, owner, 200)
			answers(page, admin, 200)

			w.Delete("plugin on Service reviews")
			w.Delete("plugin on Gateway waypoint")
			w.Delete("plugin on Gateway bookinfo-gateway")
			for _, r := range []suite.Request{gateway, page, reviews} {
				answers(r, "", 200)
			}
			w.MustUse("Service/productpage", "waypoint")
			w.MustUse("Service/reviews", "reviews-svc-waypoint")

			w.Apply("plugin in the root namespace, selector")
			answers(gateway, "", 401)
			answers(gateway, ok, 200)
			answers(gateway, admin, 200)
			answers(page, "", 200)
			w.Delete("plugin in the root namespace, selector")
			answers(gateway, "", 200)
		},
	})
}
