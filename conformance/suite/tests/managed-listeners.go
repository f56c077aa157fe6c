package tests

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "ManagedListeners",
		Description: "A listener that is added to a Gateway opens its port at the Gateway's address, where plugins run too, and one that is removed closes it.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.Provisioning},
		Manifests:   []string{"base/managed.yaml", "managed-listeners.yaml"},
		OnNode:      true,
		Test: func(t *testing.T, w *suite.World) {
			edge := suite.Request{Address: w.Gateway("edge", 80)}
			marked := suite.Want{Status: 200, Plugins: "marker"}
			w.MustAnswer(edge, marked)
			traffic := w.Load(edge, marked)
			gateway := &gatewayv1.Gateway{}
			gateway.Namespace, gateway.Name = w.Namespace, "edge"
			const http, more = `{"name": "http", "port": 80, "protocol": "HTTP"}`, `{"name": "more", "port": 8081, "protocol": "HTTP"}`
			w.Patch(gateway, `{"spec": {"listeners": [`+http+`, `+more+`]}}`)
			w.MustAnswer(suite.Request{Address: w.Gateway("edge", 8081)}, marked)
			w.Patch(gateway, `{"spec": {"listeners": [`+http+`]}}`)
			w.Eventually("the port is gone", func() string {
				if a, err := w.Send(suite.Request{Address: w.Gateway("edge", 8081)}); err == nil {
					return a.Body + " is answered"
				}
				return ""
			})
			service := &corev1.Service{}
			w.Get(w.Object("edge", service), service)
			if ports := service.Spec.Ports; len(ports) != 1 || ports[0].Port != 80 {
				t.Errorf("the Service has the ports %+v", ports)
			}
			w.MustNotFail(traffic)
		},
	})
}
