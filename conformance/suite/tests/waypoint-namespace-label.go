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
		ShortName:   "WaypointNamespaceLabel",
		Description: "The label of a Namespace moves the traffic of all its Services but those that have a label of their own, and no request fails meanwhile.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.WaypointBinding},
		Manifests:   []string{"base/two-waypoints.yaml", "waypoint-namespace-label.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("one", 1)
			w.Proxies("two", 1)
			at := func(service string) suite.Request { return suite.Request{Address: w.Service(service, 9080)} }
			w.MustUse("Service/ratings", "two")
			w.MustAnswer(at("ratings"), suite.Want{Status: 200, Plugins: "two"})
			namespace, service := &corev1.Namespace{}, &corev1.Service{}
			namespace.Name, service.Namespace, service.Name = w.Namespace, w.Namespace, "reviews"
			loads := []*suite.Stream{w.Under(at("reviews").Address, "", "one", "two"), w.Under(at("ratings").Address, "two"), w.Under(at("alone").Address, "")}
			use := func(waypoint string) {
				w.MustUse("Service/reviews", waypoint)
				w.MustStay(at("reviews"), suite.Want{Status: 200, Plugins: waypoint})
			}
			w.Patch(namespace, `{"metadata": {"labels": {"istio.io/use-waypoint": "one"}}}`)
			use("one")
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": "two"}}}`)
			use("two")
			w.Patch(service, `{"metadata": {"labels": {"istio.io/use-waypoint": null}}}`)
			use("one")
			w.Patch(namespace, `{"metadata": {"labels": {"istio.io/use-waypoint": null}}}`)
			use("")
			w.MustNotHave("Service/reviews", ext.ConditionWaypointBound)
			w.MustNotHave("Service/alone", ext.ConditionWaypointBound)
			w.MustTarget("Service/ratings", suite.True(ext.ConditionWaypointBound, w.Namespace+"/two"))
			for _, load := range loads {
				load.MustNotFail()
			}
		},
	})
}
