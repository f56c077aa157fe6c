package tests

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedInfrastructure",
		Description: "Labels and annotations of spec.infrastructure reach every object of a Gateway and its Pods, follow a change, and do not displace the labels by which proxies are known.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"managed-infrastructure.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			w.Gateway("edge", 80)
			lacks := func(o metav1.ObjectMeta, team string) string {
				l, a := o.Labels, o.Annotations
				if l["team"] != team || l[ext.LabelGatewayName] != "edge" || l[ext.LabelGatewayClassName] != "wasmpoint" || a["example.com/note"] != "for "+team {
					return fmt.Sprintf("%s: labels %v, annotations %v", o.Name, l, a)
				}
				return ""
			}
			for _, o := range w.MustMake("edge", suite.AllOfIngress) {
				if why := lacks(o.ObjectMeta, "shop"); why != "" {
					t.Errorf("%s %s", o.Kind, why)
				}
			}
			old := w.PodsOf("edge", 1)
			if why := lacks(old[0].ObjectMeta, "shop"); why != "" {
				t.Errorf("Pod %s", why)
			}
			gateway := &gatewayv1.Gateway{}
			gateway.Namespace, gateway.Name = w.Namespace, "edge"
			w.Patch(gateway, `{"spec": {"infrastructure": {"labels": {"team": "search"}, "annotations": {"example.com/note": "for search"}}}}`)
			w.Eventually("the change reaches all objects", func() string {
				for _, o := range w.MustMake("edge", suite.AllOfIngress) {
					if why := lacks(o.ObjectMeta, "search"); why != "" {
						return o.Kind + " " + why
					}
				}
				return ""
			})
			if why := lacks(w.MustReplace("edge", old, 1)[0].ObjectMeta, "search"); why != "" {
				t.Errorf("Pod %s", why)
			}
		},
	})
}
