package tests

import (
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayChecksum",
		Description: "A module whose digest is not the sha256 that was asked for never runs, and the message says so.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.ModuleDigest},
		Manifests:   []string{"base/edge.yaml", "gateway-checksum.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Apply("plugin")
			w.MustSummarize("marker", suite.False(ext.ConditionResolvedRefs, ext.ReasonChecksumMismatch, strings.Repeat("0", 64)),
				suite.False(ext.ConditionProgrammed, ext.ReasonModuleMissing))
			w.MustAnswer(edge, suite.Want{Status: 503})
			w.Patch(w.WasmPlugin("marker"), `{"spec": {"sha256": null}}`)
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
		},
	})
}
