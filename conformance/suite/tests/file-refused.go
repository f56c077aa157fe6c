package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "FileRefused",
		Description: "A file:// URL would name a file of the controller: it is refused unless the controller was given a folder for such files.",
		Features:    []features.FeatureName{suite.AttachToGateway},
		Manifests:   []string{"base/edge.yaml", "file-refused.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Apply("plugin")
			w.MustSummarize("nosy", suite.False(ext.ConditionResolvedRefs, ext.ReasonPullDenied, "files are not allowed here", "--module-dir"))
		},
	})
}
