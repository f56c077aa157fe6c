package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/controllers/stored"
)

// kind is one kind that is watched.
type kind struct {
	name store.Kind
	// crd is the name of the CustomResourceDefinition, "" for a kind that every API server has.
	crd string
	// versions are those of the CRD that we read, the best first.
	versions []string
	// watched is an empty object of the version to watch.
	watched func(version string) client.Object
	// convert gives what the store takes.
	convert func(client.Object) (any, error)
}

// kinds is the list of everything that feeds the store through informers. Secrets are watched one by one (secrets.go), Pods
// feed the count of proxies (pods.go).
var kinds = []kind{
	{
		name: store.KindWasmPlugin, crd: "wasmplugins." + extv1.GroupName, versions: []string{"v1alpha1"},
		watched: of[stored.WasmPlugin],
		convert: func(o client.Object) (any, error) { return o.(*stored.WasmPlugin).Plugin, nil },
	},
	{
		name: store.KindTrafficExtension, crd: "trafficextensions." + extv1.GroupName, versions: []string{"v1alpha1"},
		watched: of[stored.TrafficExtension],
		convert: func(o client.Object) (any, error) { return o.(*stored.TrafficExtension).Plugin, nil },
	},
	{name: store.KindGatewayClass, crd: "gatewayclasses." + gatewayv1.GroupName, versions: []string{"v1"}, watched: of[gatewayv1.GatewayClass], convert: same},
	{name: store.KindGateway, crd: "gateways." + gatewayv1.GroupName, versions: []string{"v1"}, watched: of[gatewayv1.Gateway], convert: same},
	{name: store.KindHTTPRoute, crd: "httproutes." + gatewayv1.GroupName, versions: []string{"v1"}, watched: of[gatewayv1.HTTPRoute], convert: same},
	{
		name: store.KindReferenceGrant, crd: "referencegrants." + gatewayv1.GroupName, versions: []string{"v1", "v1beta1"},
		watched: untyped(gatewayv1.GroupName, "ReferenceGrant"), convert: typed[gatewayv1.ReferenceGrant],
	},
	{
		name: store.KindServiceEntry, crd: "serviceentries." + networkingv1.GroupName, versions: []string{"v1", "v1beta1", "v1alpha3"},
		watched: untyped(networkingv1.GroupName, networkingv1.KindServiceEntry), convert: typed[networkingv1.ServiceEntry],
	},
	policyKind(store.KindAuthorizationPolicy, "authorizationpolicies"),
	policyKind(store.KindRequestAuthentication, "requestauthentications"),
	{name: store.KindService, watched: of[corev1.Service], convert: same},
	{name: store.KindEndpointSlice, watched: of[discoveryv1.EndpointSlice], convert: same},
	{name: store.KindNamespace, watched: of[corev1.Namespace], convert: same},
}

// of gives empty objects of a Go type.
func of[T any, P interface {
	*T
	client.Object
}](string) client.Object {
	return P(new(T))
}

func same(o client.Object) (any, error) { return o, nil }

// untyped gives empty objects of a kind of which several versions have the same fields.
func untyped(group, kind string) func(string) client.Object {
	return func(version string) client.Object {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
		return u
	}
}

func typed[T any](o client.Object) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is not what was watched", o)
	}
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, fmt.Errorf("%s %s/%s cannot be read: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return out, nil
}
