package tests

import (
	"fmt"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ObservedGeneration",
		Description: "After a change of the spec, every condition of every entry of ours, and of the summary, gets the new generation.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.StatusAncestors},
		Manifests:   []string{"base/edge.yaml", "observed-generation.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.MustAncestor("marker", "Gateway/edge", suite.True(ext.ConditionProgrammed))
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"pluginConfig": {"name": "changed"}}}`)
			w.Plugin("marker", "has one generation everywhere", func(p *ext.WasmPlugin) string {
				if p.Generation != 2 || p.Status.ObservedGeneration != 2 {
					return fmt.Sprintf("generation %d, observed %d", p.Generation, p.Status.ObservedGeneration)
				}
				all := ext.MetaConditions(p.Status.Conditions)
				for _, a := range p.Status.Ancestors {
					all = append(all, a.Conditions...)
				}
				for _, c := range all {
					if c.ObservedGeneration != 2 {
						return fmt.Sprintf("%s has observedGeneration %d", c.Type, c.ObservedGeneration)
					}
				}
				return ""
			})
		},
	})
}
