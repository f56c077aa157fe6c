package tests

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ServiceOrder",
		Description: "Plugins of a Service run by phase, then by priority with the highest first and an absent one last, then by age; responses meet them the other way round.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Ordering},
		Manifests:   []string{"base/mesh.yaml", "service-order.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("waypoint", 1)
			reviews := suite.Request{Address: w.Service("reviews", 9080)}
			w.Apply("first")
			w.AgeBy("z-older")
			w.Apply("second")
			inOrder := []string{"authn-high", "authn", "authz", "stats", "z-older", "a-newer", "a-low", "none"}
			a := w.MustAnswer(reviews, suite.Want{Status: 200, Plugins: strings.Join(inOrder, ",")})
			slices.Reverse(inOrder)
			if want := strings.Join(inOrder, ","); a.OnResponse != want {
				t.Errorf("responses meet %s, want %s", a.OnResponse, want)
			}
			for _, name := range inOrder {
				w.Programmed(name, 1)
			}
		},
	})
}
