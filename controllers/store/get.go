package store

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Plugin is the plugin of that key, or nil.
func (s *Store) Plugin(key model.Key) *model.Plugin { return s.plugins.objects[key] }

// Gateway is the Gateway of that name, or nil.
func (s *Store) Gateway(name types.NamespacedName) *gatewayv1.Gateway {
	return s.gateways.objects[name]
}

// GatewayClass is the class of that name, or nil.
func (s *Store) GatewayClass(name string) *gatewayv1.GatewayClass {
	return s.classes.objects[types.NamespacedName{Name: name}]
}

// HTTPRoute is the route of that name, or nil.
func (s *Store) HTTPRoute(name types.NamespacedName) *gatewayv1.HTTPRoute {
	return s.routes.objects[name]
}

// ReferenceGrant is the grant of that name, or nil.
func (s *Store) ReferenceGrant(name types.NamespacedName) *gatewayv1.ReferenceGrant {
	return s.grants.objects[name]
}

// Service is the Service of that name, or nil.
func (s *Store) Service(name types.NamespacedName) *corev1.Service { return s.services.objects[name] }

// ServiceEntry is the ServiceEntry of that name, or nil.
func (s *Store) ServiceEntry(name types.NamespacedName) *networkingv1.ServiceEntry {
	return s.entries.objects[name]
}

// Namespace is the Namespace of that name, or nil.
func (s *Store) Namespace(name string) *corev1.Namespace {
	return s.namespaces.objects[types.NamespacedName{Name: name}]
}

// Secret is the Secret of that name, or nil.
func (s *Store) Secret(name types.NamespacedName) *corev1.Secret { return s.secrets.objects[name] }

// EndpointSlice is the slice of that name, or nil.
func (s *Store) EndpointSlice(name types.NamespacedName) *discoveryv1.EndpointSlice {
	return s.slices.objects[name]
}

// Plugins are all plugins.
func (s *Store) Plugins() []*model.Plugin { return s.plugins.all.list(struct{}{}) }

// MeshPolicies are all Istio policies.
func (s *Store) MeshPolicies() []*model.MeshPolicy { return s.policies.all.list(struct{}{}) }

// Gateways are all Gateways.
func (s *Store) Gateways() []*gatewayv1.Gateway { return s.gateways.all.list(struct{}{}) }

// GatewayClasses are all classes.
func (s *Store) GatewayClasses() []*gatewayv1.GatewayClass { return s.classes.all.list(struct{}{}) }

// HTTPRoutes are all routes.
func (s *Store) HTTPRoutes() []*gatewayv1.HTTPRoute { return s.routes.all.list(struct{}{}) }

// ReferenceGrants are all grants.
func (s *Store) ReferenceGrants() []*gatewayv1.ReferenceGrant { return s.grants.all.list(struct{}{}) }

// Services are all Services.
func (s *Store) Services() []*corev1.Service { return s.services.all.list(struct{}{}) }

// ServiceEntries are all ServiceEntries.
func (s *Store) ServiceEntries() []*networkingv1.ServiceEntry { return s.entries.all.list(struct{}{}) }

// Namespaces are all Namespaces.
func (s *Store) Namespaces() []*corev1.Namespace { return s.namespaces.all.list(struct{}{}) }

// Secrets are all Secrets.
func (s *Store) Secrets() []*corev1.Secret { return s.secrets.all.list(struct{}{}) }

// EndpointSlices are all slices.
func (s *Store) EndpointSlices() []*discoveryv1.EndpointSlice { return s.slices.all.list(struct{}{}) }
