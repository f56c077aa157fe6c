package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayRouting",
		Description: "A plugin runs for every HTTPRoute of its Gateway, and each request still reaches the Service of its rule.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.HTTPRoutes},
		Manifests:   []string{"gateway-routing.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Programmed("marker", 1)
			for _, colour := range []string{"red", "blue"} {
				a := w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80), Host: "shop.test", Path: "/" + colour + "/x"}, suite.Want{Status: 200, Plugins: "marker"})
				if want := w.Pod(colour, 8080); a.Backend != want {
					t.Errorf("/%s is answered by %s, want %s", colour, a.Backend, want)
				}
			}
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80), Host: "shop.test", Path: "/green"}, suite.Want{Status: 404})
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 80), Host: "other.test", Path: "/red"}, suite.Want{Status: 404})
		},
	})
}
