package tests

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedParameters",
		Description: "A ConfigMap named by parametersRef sets replicas, resources and more of a Gateway's proxies, and a wrong or missing one is told in Accepted and changes nothing that runs.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/managed.yaml", "managed-parameters.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			w.MustTarget("Gateway/edge", suite.False(ext.ConditionAccepted, "InvalidParameters", "ConfigMap "+w.Namespace+"/proxies does not exist"))
			w.MustMake("edge", "")
			w.Apply("parameters")
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			w.MustAnswer(edge, suite.Want{Status: 200, Plugins: "marker"})
			w.Programmed("marker", 2)
			pods := w.PodsOf("edge", 2)
			for _, p := range pods {
				c := p.Spec.Containers[0]
				if cpu := c.Resources.Requests[corev1.ResourceCPU]; cpu.String() != "30m" || c.Resources.Limits.Memory().String() != "512Mi" {
					t.Errorf("Pod %s has the resources %+v", p.Name, c.Resources)
				}
				if s := *p.Spec.TerminationGracePeriodSeconds; s != 1+15 { // drainSeconds, and what Envoy gets to end
					t.Errorf("Pod %s has %d s for its end", p.Name, s)
				}
			}
			deployment := &appsv1.Deployment{}
			w.Get(w.Object("edge", deployment), deployment)

			parameters := &corev1.ConfigMap{}
			parameters.Namespace, parameters.Name = w.Namespace, "proxies"
			w.Patch(parameters, `{"data": {"replicas": "many"}}`)
			w.MustTarget("Gateway/edge", suite.False(ext.ConditionAccepted, "InvalidParameters",
				"ConfigMap "+w.Namespace+`/proxies: data.replicas: "many": use a whole number`), suite.True(ext.ConditionProgrammed))
			w.Delete("parameters")
			w.MustTarget("Gateway/edge", suite.False(ext.ConditionAccepted, "InvalidParameters",
				"ConfigMap "+w.Namespace+"/proxies does not exist"), suite.True(ext.ConditionProgrammed))
			after := &appsv1.Deployment{}
			w.Get(w.Object("edge", after), after)
			if after.Generation != deployment.Generation {
				t.Errorf("wrong parameters changed the Deployment:\n%+v\n%+v", deployment.Spec, after.Spec)
			}
			for i, p := range w.PodsOf("edge", 2) {
				if p.UID != pods[i].UID {
					t.Errorf("Pod %s is another one", p.Name)
				}
			}
			w.MustStay(edge, suite.Want{Status: 200, Plugins: "marker"})

			w.Apply("mended")
			w.MustTarget("Gateway/edge", suite.True(ext.ConditionAccepted), suite.True(ext.ConditionProgrammed))
			w.PodsOf("edge", 1)
			w.Programmed("marker", 1)
		},
	})
}
