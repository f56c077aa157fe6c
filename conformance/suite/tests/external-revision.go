package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ExternalRevision",
		Description: "At a proxy that Istio programs a plugin runs only with the label istio.io/rev: wasmpoint.",
		Features:    []features.FeatureName{suite.AttachBySelector, suite.ExternalProxies},
		Manifests:   []string{"base/web.yaml", "external-revision.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			proxy := w.ExternalProxy(map[string]string{"app": "web", ext.LabelProxy: ext.ProxyIstio}, "gateway 80")
			w.Apply("plugin")
			w.MustSummarize("marker", suite.False(ext.ConditionAccepted, ext.ReasonOtherRevision))
			w.MustStay(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200})
			w.Patch(w.WasmPlugin("marker"), `{"metadata": {"labels": {"istio.io/rev": "wasmpoint"}}}`)
			w.MustAnswer(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 1)
			w.Patch(w.WasmPlugin("marker"), `{"metadata": {"labels": {"istio.io/rev": null}}}`)
			w.MustAnswer(suite.Request{Address: proxy.Address()}, suite.Want{Status: 200})
		},
	})
}
