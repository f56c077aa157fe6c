package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceAffected",
		Description: "A Service with plugins says so in its condition wasmpoint.dev/WasmPluginAffected, which goes with the last of them; another Service does not.",
		Features:    []features.FeatureName{suite.AttachToService, suite.TargetConditions},
		Manifests:   []string{"base/mesh.yaml", "service-affected.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Apply("plugin")
			w.MustTarget("Service/reviews", suite.True(ext.ConditionAffected, "1 plugin is attached", w.Namespace+"/marker"))
			w.MustNeverHave("Service/ratings", ext.ConditionAffected)
			w.Delete("plugin")
			w.MustNotHave("Service/reviews", ext.ConditionAffected)
		},
	})
}
