package tests

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedHandEdit",
		Description: "An edit by hand of what was made for a Gateway is undone, what others add to it stays, and what is deleted comes back.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/managed.yaml", "managed-hand-edit.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			marked := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(edge, marked)
			deployment := &appsv1.Deployment{}
			key := w.Object("edge", deployment)
			w.Get(key, deployment)
			image := deployment.Spec.Template.Spec.Containers[0].Image
			w.Patch(deployment, `{"metadata": {"annotations": {"example.com/mine": "stays"}}, "spec": {"replicas": 3}}`)
			w.Patch(deployment, `{"metadata": {"labels": {"example.com/mine": "stays"}}, "spec": {"template": {"spec": {"serviceAccountName": "default"}}}}`)
			w.Eventually("the edits are undone", func() string {
				w.Get(key, deployment)
				spec := deployment.Spec.Template.Spec
				if *deployment.Spec.Replicas != 1 || spec.ServiceAccountName != key.Name || spec.Containers[0].Image != image {
					return fmt.Sprintf("%d replicas of ServiceAccount %s", *deployment.Spec.Replicas, spec.ServiceAccountName)
				}
				return ""
			})
			if deployment.Annotations["example.com/mine"] != "stays" || deployment.Labels["example.com/mine"] != "stays" {
				t.Errorf("what others added is gone: %v, %v", deployment.Annotations, deployment.Labels)
			}
			w.PodsOf("edge", 1)
			service := &corev1.Service{}
			w.Get(w.Object("edge", service), service)
			w.Remove(service)
			w.Eventually("the Gateway is reached through a Service of the same name", func() string {
				again := &corev1.Service{}
				if err := w.Client().Get(t.Context(), key, again); err != nil {
					return err.Error()
				}
				edge.Address = w.Gateway("edge", 80)
				if again.UID == service.UID || edge.Address != again.Spec.ClusterIP+":80" {
					return edge.Address + " is the Gateway's address, the Service's is " + again.Spec.ClusterIP
				}
				return ""
			})
			w.MustAnswer(edge, marked)
		},
	})
}
