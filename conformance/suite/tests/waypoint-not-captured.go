package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointNotCaptured",
		Description: "A Service whose traffic does not go to the waypoint that it names says so, with the reason and what to do, and so does its plugin.",
		Features:    []features.FeatureName{suite.AttachToService, suite.WaypointBinding},
		Manifests:   []string{"waypoint-not-captured.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("pods-only", 1)
			w.Proxies("open", 1)
			w.Proxies(w.Other+"/theirs", 1)
			for _, is := range []struct{ service, condition, plugin, says string }{
				{"names-nothing", ext.ReasonWaypointIsNotReady, ext.ReasonWaypointNotFound, "which does not exist"},
				{"names-an-ingress", ext.ReasonWaypointIsNotReady, ext.ReasonWaypointNotFound, "which is not a waypoint"},
				{"not-admitted", ext.ReasonAttachmentDenied, ext.ReasonAttachmentDenied, "allowedRoutes"},
				{"for-pods", ext.ReasonUnsupportedTrafficType, ext.ReasonUnsupportedTrafficType, "istio.io/waypoint-for"},
				{"headless", ext.ReasonTargetHasNoPorts, ext.ReasonTargetHasNoPorts, "headless"},
			} {
				w.MustTarget("Service/"+is.service, suite.False(ext.ConditionWaypointBound, is.condition, is.says))
				w.MustAncestor("own", "Service/"+is.service, suite.False(ext.ConditionAccepted, is.plugin, is.says))
				if is.service != "headless" { // it has no address to send to
					w.MustUse("Service/"+is.service, "")
					w.MustStay(suite.Request{Address: w.Service(is.service, 9080)}, suite.Want{Status: 200})
				}
			}
			w.MustTarget("Service/captured", suite.True(ext.ConditionWaypointBound))
			w.MustUse("Service/captured", "open")
			w.MustAnswer(suite.Request{Address: w.Service("captured", 9080)}, suite.Want{Status: 200, Plugins: "own"})
		},
	})
}
