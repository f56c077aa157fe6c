package tests

import (
	"fmt"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "SixteenTargets",
		Description: "Each of sixteen targets has its entry in status.ancestors; beside an entry of another controller, those that are not fine have room first.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "sixteen-targets.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Plugin("marker", "has sixteen ancestors", func(p *ext.WasmPlugin) string {
				if n := len(p.Status.Ancestors); n != 16 {
					return fmt.Sprintf("it has %d", n)
				}
				return ""
			})
			w.MustAncestor("marker", "Gateway/edge", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed))
			w.MustAncestor("marker", "Gateway/missing-15", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound))
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound, "1/16 targets accepted"))
			w.PatchStatus("marker", func(s *ext.PluginStatus) {
				s.Ancestors = append([]gatewayv1.PolicyAncestorStatus{foreign("elsewhere")}, s.Ancestors[:15]...)
			})
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"pluginConfig": {"name": "changed"}}}`)
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound, "1 targets have no room"))
			p := w.MustAncestor("marker", "Gateway/missing-15", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound))
			if n := len(p.Status.Ancestors); n != 16 || p.Status.Ancestors[0].ControllerName != foreignController {
				t.Errorf("%d ancestors, the first of %s", n, p.Status.Ancestors[0].ControllerName)
			}
		},
	})
}
