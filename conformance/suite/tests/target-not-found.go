package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "TargetNotFound",
		Description: "A target that does not exist is Accepted False with the reason TargetNotFound, until it exists.",
		Features:    []features.FeatureName{suite.StatusAncestors},
		Manifests:   []string{"target-not-found.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			p := w.MustAncestor("marker", "Gateway/later", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound, "later"))
			for _, c := range p.Status.Ancestors[0].Conditions {
				if c.Type == ext.ConditionProgrammed {
					t.Errorf("what is not accepted has the condition %+v", c)
				}
			}
			w.Apply("gateway")
			w.MustAncestor("marker", "Gateway/later", suite.True(ext.ConditionAccepted), suite.False(ext.ConditionProgrammed, ext.ReasonNoProxies))
			w.Delete("gateway")
			w.MustAncestor("marker", "Gateway/later", suite.False(ext.ConditionAccepted, ext.ReasonTargetNotFound))
		},
	})
}
