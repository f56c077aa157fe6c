package tests

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedScaling",
		Description: "The proxies of a Gateway become more and fewer without a failed request, and the plugin's status counts them in a few writes.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning, suite.StatusAncestors},
		Manifests:   []string{"base/managed.yaml", "managed-scaling.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.Programmed("marker", 1)
			marked := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(edge, marked)
			writes := w.Writes(w.WasmPlugin("marker"))
			traffic := w.Load(edge, marked)
			parameters := &corev1.ConfigMap{}
			parameters.Namespace, parameters.Name = w.Namespace, "proxies"
			for _, n := range []int{3, 1} {
				w.Patch(parameters, fmt.Sprintf(`{"data": {"replicas": "%d"}}`, n))
				w.PodsOf("edge", n)
				w.Programmed("marker", n)
				w.MustStay(edge, marked)
			}
			w.MustNotFail(traffic)
			// Two proxies come and two go, and each may be told on its own, with a word while it is on its way.
			if n := writes(); n > 12 {
				t.Errorf("%d writes of the plugin's status while four proxies came and went", n)
			}
		},
	})
}
