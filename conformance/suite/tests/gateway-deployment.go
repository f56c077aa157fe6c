package tests

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayDeployment",
		Description: "The Pods of a Deployment with our bootstrap are a Gateway's proxies, reach the controller by its Service's name, and are counted as they come and go.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"gateway-deployment.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			w.Bootstrap("edge")
			w.Apply("proxies")
			edge := suite.Request{Address: w.Service("edge", 80)}
			marked := suite.Want{Status: 200, Plugins: "marker"}
			w.PodsOf("edge", 2)
			w.MustAnswer(edge, suite.Want{Status: 200})
			w.Apply("plugin")
			w.Programmed("marker", 2)
			w.MustStay(edge, marked)
			proxies := &appsv1.Deployment{}
			proxies.Namespace, proxies.Name = w.Namespace, "edge"
			for _, n := range []int{3, 1} {
				w.Patch(proxies, fmt.Sprintf(`{"spec":{"replicas":%d}}`, n))
				for _, p := range w.PodsOf("edge", n) {
					w.MustAnswer(suite.Request{Address: p.Status.PodIP + ":80"}, marked)
				}
				w.Programmed("marker", n)
			}
			w.MustAncestor("marker", "Gateway/edge", suite.True(ext.ConditionProgrammed, "1/1 proxies run it"))
			w.MustStay(edge, marked)
		},
	})
}
