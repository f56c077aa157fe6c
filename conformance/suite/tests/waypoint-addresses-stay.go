package tests

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointAddressesStay",
		Description: "A waypoint has an address once a proxy of it serves, and keeps it when all its Pods are gone, so that traffic fails until there are others and does not go around its plugins.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.WaypointBinding},
		Manifests:   []string{"base/two-waypoints.yaml", "waypoint-addresses-stay.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			reviews := suite.Request{Address: w.Service("ratings", 9080)}
			w.MustTarget("Service/ratings", suite.False(ext.ConditionWaypointBound, ext.ReasonWaypointIsNotReady, w.Namespace+"/one", "no address"))
			w.MustUse("Service/ratings", "")
			w.MustStay(reviews, suite.Want{Status: 200})
			proxy := w.Proxies("one", 1)[0]
			w.MustTarget("Service/ratings", suite.True(ext.ConditionWaypointBound, w.Namespace+"/one"))
			w.MustUse("Service/ratings", "one")
			w.MustStay(reviews, suite.Want{Status: 200, Plugins: "one"})
			proxy.Stop()
			pod := &corev1.Pod{}
			pod.Namespace, pod.Name = w.Namespace, proxy.Name
			if err := w.Client().Delete(context.Background(), pod, client.GracePeriodSeconds(0)); err != nil {
				t.Fatal(err)
			}
			w.MustTarget("Gateway/one", suite.Expect{Type: ext.ConditionProgrammed, Status: "False"})
			w.MustSummarize("one", suite.Expect{Type: ext.ConditionProgrammed, Status: "False"})
			var gateway gatewayv1.Gateway
			w.Get(client.ObjectKey{Name: "one"}, &gateway)
			if len(gateway.Status.Addresses) == 0 {
				t.Error("the waypoint lost its address with its last proxy")
			}
			w.MustTarget("Service/ratings", suite.True(ext.ConditionWaypointBound))
			if a, err := w.Send(reviews); err == nil {
				t.Errorf("without a proxy of its waypoint: %+v; want no answer, and none past the waypoint", a)
			}
			w.Proxies("one", 1)
			w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: "one"})
		},
	})
}
