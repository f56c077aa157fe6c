package store

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// PluginsIn are the plugins of a namespace.
func (s *Store) PluginsIn(namespace string) []*model.Plugin { return s.plugins.in.list(namespace) }

// PluginsTargeting are the plugins that declare exactly this reference.
func (s *Store) PluginsTargeting(target model.TargetRef) []*model.Plugin {
	return s.pluginsByTarget.list(target)
}

// PoliciesTargeting are the Istio policies that declare exactly this reference.
func (s *Store) PoliciesTargeting(target model.TargetRef) []*model.MeshPolicy {
	return s.policiesByTarget.list(target)
}

// UntargetedPlugins are the plugins of a namespace without any target reference, with and without a selector.
func (s *Store) UntargetedPlugins(namespace string) []*model.Plugin {
	return s.untargetedPlugins.list(namespace)
}

// PluginsUsingSecret are the plugins whose imagePullSecret is this Secret.
func (s *Store) PluginsUsingSecret(secret types.NamespacedName) []*model.Plugin {
	return s.pluginsBySecret.list(secret)
}

// GatewaysIn are the Gateways of a namespace.
func (s *Store) GatewaysIn(namespace string) []*gatewayv1.Gateway {
	return s.gateways.in.list(namespace)
}

// GatewaysOfClass are the Gateways with this gatewayClassName.
func (s *Store) GatewaysOfClass(class string) []*gatewayv1.Gateway {
	return s.gatewaysByClass.list(class)
}

// GatewaysUsingSecret are the Gateways with a listener whose certificateRefs name this Secret.
func (s *Store) GatewaysUsingSecret(secret types.NamespacedName) []*gatewayv1.Gateway {
	return s.gatewaysBySecret.list(secret)
}

// GatewaysUsingSecretsIn are the Gateways whose certificateRefs name any Secret of this namespace.
func (s *Store) GatewaysUsingSecretsIn(namespace string) []*gatewayv1.Gateway {
	return s.gatewaysBySecretsIn.list(namespace)
}

// ServicesIn are the Services of a namespace.
func (s *Store) ServicesIn(namespace string) []*corev1.Service { return s.services.in.list(namespace) }

// ServicesUsing are the Services whose own label names this Gateway as their waypoint.
func (s *Store) ServicesUsing(waypoint types.NamespacedName) []*corev1.Service {
	return s.servicesByWaypoint.list(waypoint)
}

// ServiceEntriesIn are the ServiceEntries of a namespace.
func (s *Store) ServiceEntriesIn(namespace string) []*networkingv1.ServiceEntry {
	return s.entries.in.list(namespace)
}

// ServiceEntriesUsing are the ServiceEntries whose own label names this Gateway as their waypoint.
func (s *Store) ServiceEntriesUsing(waypoint types.NamespacedName) []*networkingv1.ServiceEntry {
	return s.entriesByWaypoint.list(waypoint)
}

// NamespacesUsing are the Namespaces whose label names this Gateway as the waypoint of what they hold.
func (s *Store) NamespacesUsing(waypoint types.NamespacedName) []*corev1.Namespace {
	return s.namespacesByWaypoint.list(waypoint)
}

// HTTPRoutesIn are the HTTPRoutes of a namespace.
func (s *Store) HTTPRoutesIn(namespace string) []*gatewayv1.HTTPRoute {
	return s.routes.in.list(namespace)
}

// RoutesOfGateway are the HTTPRoutes that name this Gateway as a parent, allowed there or not.
func (s *Store) RoutesOfGateway(gateway types.NamespacedName) []*gatewayv1.HTTPRoute {
	return s.routesByGateway.list(gateway)
}

// RoutesOfService are the HTTPRoutes that name this Service or ServiceEntry as a parent (mesh routes, GEP-1294).
func (s *Store) RoutesOfService(service model.ServiceKey) []*gatewayv1.HTTPRoute {
	return s.routesByService.list(service)
}

// RoutesToService are the HTTPRoutes that send or mirror requests to this Service or ServiceEntry.
func (s *Store) RoutesToService(service model.ServiceKey) []*gatewayv1.HTTPRoute {
	return s.routesByBackend.list(service)
}

// RoutesToNamespace are the HTTPRoutes that send or mirror requests to any Service of this namespace.
func (s *Store) RoutesToNamespace(namespace string) []*gatewayv1.HTTPRoute {
	return s.routesByBackendIn.list(namespace)
}

// ReferenceGrantsIn are the grants that stand in a namespace, which is the namespace that they open.
func (s *Store) ReferenceGrantsIn(namespace string) []*gatewayv1.ReferenceGrant {
	return s.grants.in.list(namespace)
}

// SlicesOfService are the EndpointSlices of a Service.
func (s *Store) SlicesOfService(service types.NamespacedName) []*discoveryv1.EndpointSlice {
	return s.slicesByService.list(service)
}
