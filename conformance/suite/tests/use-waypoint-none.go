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
		ShortName:   "UseWaypointNone",
		Description: "The label istio.io/use-waypoint with the value none keeps a Service away from the waypoint of its namespace.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.WaypointBinding},
		Manifests:   []string{"use-waypoint-none.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			namespace := &corev1.Namespace{}
			namespace.Name = w.Namespace
			w.Patch(namespace, `{"metadata": {"labels": {"istio.io/use-waypoint": "waypoint"}}}`)
			w.Proxies("waypoint", 1)
			w.Apply("plugin")
			w.MustAnswer(suite.Request{Address: w.Service("reviews", 9080)}, suite.Want{Status: 200, Plugins: "marker"})
			w.MustSummarize("for-alone", suite.False(ext.ConditionAccepted, ext.ReasonNoWaypoint))
			w.MustNeverHave("Service/alone", ext.ConditionWaypointBound)
			w.MustStay(suite.Request{Address: w.Service("alone", 9080)}, suite.Want{Status: 200})
		},
	})
}
