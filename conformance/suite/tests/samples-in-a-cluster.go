package tests

import (
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
	"github.com/wasmpoint/wasmpoint/manifests/samples"
)

func init() {
	register(suite.Test{
		ShortName:   "SamplesInACluster",
		Description: "Every line that the README of the samples has for a cluster works: a gateway and a waypoint that get proxies by themselves, and a plugin at each.",
		Features:    []features.FeatureName{suite.AttachToService, suite.Provisioning, suite.WaypointBinding},
		Manifests:   []string{"samples-in-a-cluster.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			readme, err := samples.Files.ReadFile("README.md")
			if err != nil {
				t.Fatal(err)
			}
			_, section, _ := strings.Cut(string(readme), "### In a cluster")
			_, section, _ = strings.Cut(section, "```sh\n")
			lines, _, found := strings.Cut(section, "```")
			if !found {
				t.Fatal("the README has no such section")
			}
			ours := strings.NewReplacer("oci://ghcr.io/istio-ecosystem/wasm-extensions/basic_auth:1.12.0", w.URL("BASIC_AUTH"))
			out := w.Script(lines, samples.Files, "manifests/samples", ours)
			gateway := suite.Request{Address: w.Gateway("bookinfo-gateway", 80), Path: "/productpage"}
			reviews := suite.Request{Address: w.Service("reviews", 9080), Path: "/reviews/1"}
			for _, want := range []string{
				strings.TrimSuffix(gateway.Address, ":80") + "\n", "service/reviews condition met\n", "wasmplugin.extensions.istio.io/basic-auth-for-service condition met\n",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("the output does not say %q:\n%s", want, out)
				}
			}
			w.MustUse("Service/reviews", "waypoint")
			for user, r := range map[string]suite.Request{"admin3:admin3": gateway, "1t-in3:admin3": reviews} {
				w.MustAnswer(r, suite.Want{Status: 401})
				w.MustStay(r, suite.Want{Status: 401})
				r.Credentials = user
				w.MustAnswer(r, suite.Want{Status: 200})
			}
		},
	})
}
