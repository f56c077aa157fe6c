package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ExternalSelector",
		Description: "An external proxy gets the plugins that select its Pod's labels, on the side and port that they match, and others when the labels change.",
		Features:    []features.FeatureName{suite.AttachBySelector, suite.ExternalProxies, suite.MatchMode, suite.MatchPorts},
		Manifests:   []string{"base/web.yaml", "external-selector.yaml"},
		Test: func(_ *testing.T, w *suite.World) {
			labels := func(app string) map[string]string {
				return map[string]string{"app": app, "world": w.Namespace, ext.LabelProxy: ext.ProxyExternal}
			}
			in := w.ExternalProxy(labels("web"), "inbound 8080")
			out := w.ExternalProxy(labels("web"), "outbound 8080")
			w.MustAnswer(suite.Request{Address: in.Address()}, suite.Want{Status: 200})
			w.Apply("plugins")
			w.MustAnswer(suite.Request{Address: in.Address()}, suite.Want{Status: 200, Plugins: "mesh,served"})
			w.MustAnswer(suite.Request{Address: out.Address()}, suite.Want{Status: 200, Plugins: "mesh"})
			in.Label("app", "api")
			w.MustAnswer(suite.Request{Address: in.Address()}, suite.Want{Status: 200, Plugins: "mesh"})
			in.Label("app", "web")
			w.MustAnswer(suite.Request{Address: in.Address()}, suite.Want{Status: 200, Plugins: "mesh,served"})
		},
	})
}
