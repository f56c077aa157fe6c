package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

func init() {
	register(suite.Test{
		ShortName:   "ModuleDigest",
		Description: "Status shows the digest of the module in use, and the new one after the module changed.",
		Features:    []features.FeatureName{suite.ModuleDigest},
		Manifests:   []string{"base/edge.yaml", "module-digest.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Apply("plugin")
			for _, seed := range []string{"one", "two"} {
				module := wasmtest.Unique(wasmtest.Marker(t), seed)
				w.Patch(w.WasmPlugin("marker"), `{"spec": {"url": "`+w.PushModule(seed, module)+`"}}`)
				digest := registrytest.Hex(module)
				w.MustSummarize("marker", suite.True(ext.ConditionResolvedRefs, digest), suite.True(ext.ConditionProgrammed))
				w.Plugin("marker", "shows "+digest[:12], func(p *ext.WasmPlugin) string {
					if p.Status.Summary.Module != digest[:12] {
						return "it shows " + p.Status.Summary.Module
					}
					return ""
				})
			}
		},
	})
}
