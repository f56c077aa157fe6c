package store

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Store holds typed objects and their indexes; the package's comment says who may use it and how.
type Store struct {
	plugins    *table[model.Key, model.Plugin]
	gateways   *named[gatewayv1.Gateway]
	classes    *named[gatewayv1.GatewayClass]
	routes     *named[gatewayv1.HTTPRoute]
	grants     *named[gatewayv1.ReferenceGrant]
	services   *named[corev1.Service]
	entries    *named[networkingv1.ServiceEntry]
	namespaces *named[corev1.Namespace]
	secrets    *named[corev1.Secret]
	slices     *named[discoveryv1.EndpointSlice]
	policies   *table[model.Key, model.MeshPolicy]
	workloads  *named[model.Workload]

	pluginsByTarget   *by[model.TargetRef, model.Plugin]
	untargetedPlugins *by[string, model.Plugin]
	pluginsBySecret   *by[types.NamespacedName, model.Plugin]
	policiesByTarget  *by[model.TargetRef, model.MeshPolicy]

	gatewaysByClass     *by[string, gatewayv1.Gateway]
	gatewaysBySecret    *by[types.NamespacedName, gatewayv1.Gateway]
	gatewaysBySecretsIn *by[string, gatewayv1.Gateway]

	servicesByWaypoint   *by[types.NamespacedName, corev1.Service]
	entriesByWaypoint    *by[types.NamespacedName, networkingv1.ServiceEntry]
	namespacesByWaypoint *by[types.NamespacedName, corev1.Namespace]

	routesByGateway   *by[types.NamespacedName, gatewayv1.HTTPRoute]
	routesByService   *by[model.ServiceKey, gatewayv1.HTTPRoute]
	routesByBackend   *by[model.ServiceKey, gatewayv1.HTTPRoute]
	routesByBackendIn *by[string, gatewayv1.HTTPRoute]
	slicesByService   *by[types.NamespacedName, discoveryv1.EndpointSlice]

	workloadsByLabel *by[label, model.Workload]
}

// New makes an empty Store.
func New() *Store {
	s := &Store{
		plugins:    newTable(pluginKey, comparePlugins, samePlugin),
		gateways:   newNamed(KindGateway, sameGateway),
		classes:    newNamed(KindGatewayClass, sameClass),
		routes:     newNamed(KindHTTPRoute, sameRoute),
		grants:     newNamed(KindReferenceGrant, sameGrant),
		services:   newNamed(KindService, sameService),
		entries:    newNamed(KindServiceEntry, sameEntry),
		namespaces: newNamed(KindNamespace, sameNamespace),
		secrets:    newNamed(KindSecret, sameSecret),
		slices:     newNamed(KindEndpointSlice, sameSlice),
		policies:   newTable(policyKey, comparePolicies, samePolicy),
		workloads:  newTable((*model.Workload).NamespacedName, compareWorkloads, sameWorkload),
	}
	s.pluginsByTarget = addIndex(s.plugins, pluginTargets)
	s.untargetedPlugins = addIndex(s.plugins, untargetedIn)
	s.pluginsBySecret = addIndex(s.plugins, PullSecrets)
	s.policiesByTarget = addIndex(s.policies, policyTargets)
	s.gatewaysByClass = addIndex(s.gateways, gatewayClassOf)
	s.gatewaysBySecret = addIndex(s.gateways, CertificateSecrets)
	s.gatewaysBySecretsIn = addIndex(s.gateways, certificateNamespaces)
	s.servicesByWaypoint = addIndex(s.services, serviceWaypoint)
	s.entriesByWaypoint = addIndex(s.entries, entryWaypoint)
	s.namespacesByWaypoint = addIndex(s.namespaces, namespaceWaypoint)
	s.routesByGateway = addIndex(s.routes, ParentGateways)
	s.routesByService = addIndex(s.routes, ParentServices)
	s.routesByBackend = addIndex(s.routes, BackendServices)
	s.routesByBackendIn = addIndex(s.routes, backendNamespaces)
	s.slicesByService = addIndex(s.slices, serviceOfSlice)
	s.workloadsByLabel = addIndex(s.workloads, labelsOfWorkload)
	return s
}

// Put stores an object of one of the types that RefOf knows, in the place of an older one of the same name. old is what
// stood there (nil: nothing). changed is false when no rule and no builder can tell the two apart: the same pointer, or
// a difference in status, resourceVersion or managedFields alone. The error says which Go type is unknown.
func (s *Store) Put(object any) (old any, changed bool, err error) {
	switch o := object.(type) {
	case *model.Plugin:
		old, changed = put(s.plugins, o)
	case *gatewayv1.Gateway:
		old, changed = put(s.gateways, o)
	case *gatewayv1.GatewayClass:
		old, changed = put(s.classes, o)
	case *gatewayv1.HTTPRoute:
		old, changed = put(s.routes, o)
	case *gatewayv1.ReferenceGrant:
		old, changed = put(s.grants, o)
	case *corev1.Service:
		old, changed = put(s.services, o)
	case *networkingv1.ServiceEntry:
		old, changed = put(s.entries, o)
	case *corev1.Namespace:
		old, changed = put(s.namespaces, o)
	case *corev1.Secret:
		old, changed = put(s.secrets, o)
	case *discoveryv1.EndpointSlice:
		old, changed = put(s.slices, o)
	case *model.MeshPolicy:
		old, changed = put(s.policies, o)
	case *model.Workload:
		old, changed = put(s.workloads, o)
	default:
		_, err = RefOf(object)
	}
	return old, changed, err
}

// Delete removes an object and returns it; nil when there was none.
func (s *Store) Delete(ref Ref) (old any) {
	switch ref.Kind {
	case KindWasmPlugin, KindTrafficExtension:
		return remove(s.plugins, model.Key{Kind: string(ref.Kind), Namespace: ref.Namespace, Name: ref.Name})
	case KindGateway:
		return remove(s.gateways, ref.NamespacedName)
	case KindGatewayClass:
		return remove(s.classes, ref.NamespacedName)
	case KindHTTPRoute:
		return remove(s.routes, ref.NamespacedName)
	case KindReferenceGrant:
		return remove(s.grants, ref.NamespacedName)
	case KindService:
		return remove(s.services, ref.NamespacedName)
	case KindServiceEntry:
		return remove(s.entries, ref.NamespacedName)
	case KindNamespace:
		return remove(s.namespaces, ref.NamespacedName)
	case KindSecret:
		return remove(s.secrets, ref.NamespacedName)
	case KindEndpointSlice:
		return remove(s.slices, ref.NamespacedName)
	case KindAuthorizationPolicy, KindRequestAuthentication:
		return remove(s.policies, model.Key{Kind: string(ref.Kind), Namespace: ref.Namespace, Name: ref.Name})
	case KindWorkload:
		return remove(s.workloads, ref.NamespacedName)
	}
	return nil
}
