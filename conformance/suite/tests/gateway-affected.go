package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayAffected",
		Description: "A Gateway with plugins says so in its condition wasmpoint.dev/WasmPluginAffected, which goes with the last of them.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.TargetConditions},
		Manifests:   []string{"base/edge.yaml", "gateway-affected.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.MustNotHave("Gateway/edge", ext.ConditionAffected)
			w.Apply("one")
			w.Apply("two")
			w.MustTarget("Gateway/edge", suite.True(ext.ConditionAffected, "2 plugins are attached", w.Namespace+"/one", w.Namespace+"/two"))
			w.Delete("one")
			w.MustTarget("Gateway/edge", suite.True(ext.ConditionAffected, "1 plugin is attached", w.Namespace+"/two"))
			w.Delete("two")
			w.MustNotHave("Gateway/edge", ext.ConditionAffected)
		},
	})
}
