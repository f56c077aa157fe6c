package tests

import (
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "GatewayTLS",
		Description: "A plugin runs behind an HTTPS listener, whose certificate comes from a Secret and changes with it.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.TLSListeners},
		Manifests:   []string{"gateway-tls.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.TLSSecret("certificate", "first.test")
			w.Proxies("edge", 1)
			edge := suite.Request{Address: w.Gateway("edge", 443), TLS: "shop.test"}
			if a := w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker"}); a.Certificate != "first.test" {
				t.Errorf("the certificate is that of %s", a.Certificate)
			}
			w.Programmed("marker", 1)
			w.TLSSecret("certificate", "second.test")
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker", Certificate: "second.test"})
		},
	})
}
