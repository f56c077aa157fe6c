package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayPlugin",
		Description: "A WasmPlugin whose target is a Gateway runs for every request at its listeners, and its status counts the proxies.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "gateway-plugin.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 2)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200})
			w.Apply("plugin")
			p := w.Programmed("basic-auth", 2)
			w.MustStay(edge, suite.Want{Status: 401})
			edge.Credentials = "ok:test"
			w.MustStay(edge, suite.Want{Status: 200})
			w.MustAncestor("basic-auth", "Gateway/edge", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionResolvedRefs, "sha256:"),
				suite.True(ext.ConditionProgrammed, "2/2 proxies run it"))
			if len(p.Status.Ancestors) != 1 || p.Status.Ancestors[0].ControllerName != ext.ControllerName {
				t.Errorf("ancestors: %+v", p.Status.Ancestors)
			}
		},
	})
}
