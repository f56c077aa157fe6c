package store

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// The keys under which objects are found, one function per index.

func pluginTargets(p *model.Plugin) []model.TargetRef { return p.Targets }

func policyTargets(p *model.MeshPolicy) []model.TargetRef { return p.Targets }

// untargetedIn is the namespace of a plugin that reaches Gateways by its selector, or by having no target at all.
func untargetedIn(p *model.Plugin) []string {
	if len(p.Targets) > 0 {
		return nil
	}
	return []string{p.Namespace}
}

// PullSecrets are the Secrets that a plugin names as imagePullSecret.
func PullSecrets(p *model.Plugin) []types.NamespacedName {
	if p.Wasm == nil || p.Wasm.PullSecret == "" {
		return nil
	}
	return []types.NamespacedName{{Namespace: p.Namespace, Name: p.Wasm.PullSecret}}
}

func gatewayClassOf(g *gatewayv1.Gateway) []string { return []string{string(g.Spec.GatewayClassName)} }

// CertificateSecrets are the Secrets that the listeners of a Gateway name, wherever they are.
func CertificateSecrets(g *gatewayv1.Gateway) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, listener := range g.Spec.Listeners {
		if listener.TLS == nil {
			continue
		}
		for _, ref := range listener.TLS.CertificateRefs {
			if or(ref.Group, "") != "" || or(ref.Kind, "Secret") != "Secret" {
				continue
			}
			keys = append(keys, types.NamespacedName{
				Namespace: string(or(ref.Namespace, gatewayv1.Namespace(g.Namespace))), Name: string(ref.Name),
			})
		}
	}
	return keys
}

func certificateNamespaces(g *gatewayv1.Gateway) []string { return namespacesOf(CertificateSecrets(g)) }

// ParentGateways are the Gateways that a route names as parents, allowed there or not.
func ParentGateways(r *gatewayv1.HTTPRoute) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, parent := range r.Spec.ParentRefs {
		if or(parent.Group, gatewayv1.GroupName) == gatewayv1.GroupName && or(parent.Kind, "Gateway") == "Gateway" {
			keys = append(keys, types.NamespacedName{
				Namespace: string(or(parent.Namespace, gatewayv1.Namespace(r.Namespace))), Name: string(parent.Name),
			})
		}
	}
	return keys
}

// ParentServices are the Services and ServiceEntries that a route names as parents (mesh routes, GEP-1294).
func ParentServices(r *gatewayv1.HTTPRoute) []model.ServiceKey {
	var keys []model.ServiceKey
	for _, parent := range r.Spec.ParentRefs {
		group, kind := or(parent.Group, gatewayv1.GroupName), or(parent.Kind, "Gateway")
		if key, ok := serviceKey(group, kind, or(parent.Namespace, gatewayv1.Namespace(r.Namespace)), parent.Name); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// BackendServices are the Services and ServiceEntries that a route sends or mirrors requests to, in order, with repeats.
func BackendServices(r *gatewayv1.HTTPRoute) []model.ServiceKey {
	var keys []model.ServiceKey
	add := func(ref gatewayv1.BackendObjectReference) {
		namespace := or(ref.Namespace, gatewayv1.Namespace(r.Namespace))
		if key, ok := serviceKey(or(ref.Group, ""), or(ref.Kind, "Service"), namespace, ref.Name); ok {
			keys = append(keys, key)
		}
	}
	for _, rule := range r.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			add(backend.BackendObjectReference)
		}
		for _, filter := range rule.Filters {
			if filter.RequestMirror != nil {
				add(filter.RequestMirror.BackendRef)
			}
		}
	}
	return keys
}

func backendNamespaces(r *gatewayv1.HTTPRoute) []string {
	var keys []string
	for _, service := range BackendServices(r) {
		keys = append(keys, service.Namespace)
	}
	return keys
}

func serviceOfSlice(s *discoveryv1.EndpointSlice) []types.NamespacedName {
	name := s.Labels[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	return []types.NamespacedName{{Namespace: s.Namespace, Name: name}}
}

func serviceWaypoint(s *corev1.Service) []types.NamespacedName {
	return waypointKeys(s.Labels, s.Namespace)
}

func entryWaypoint(e *networkingv1.ServiceEntry) []types.NamespacedName {
	return waypointKeys(e.Labels, e.Namespace)
}

func namespaceWaypoint(n *corev1.Namespace) []types.NamespacedName {
	return waypointKeys(n.Labels, n.Name)
}

func serviceKey(group gatewayv1.Group, kind gatewayv1.Kind, namespace gatewayv1.Namespace,
	name gatewayv1.ObjectName) (model.ServiceKey, bool) {
	known := group == "" && kind == "Service" ||
		group == networkingv1.GroupName && kind == networkingv1.KindServiceEntry
	return model.ServiceKey{Kind: string(kind), Namespace: string(namespace), Name: string(name)}, known
}

func namespacesOf(names []types.NamespacedName) []string {
	var keys []string
	for _, name := range names {
		keys = append(keys, name.Namespace)
	}
	return keys
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
