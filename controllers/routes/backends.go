package routes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// unresolved is why a backend reference does not resolve.
type unresolved struct {
	reason  gatewayv1.RouteConditionReason
	message string
}

func broken(reason gatewayv1.RouteConditionReason, format string, args ...any) *unresolved {
	return &unresolved{reason, fmt.Sprintf(format, args...)}
}

// resolveBackend looks a backend of an HTTPRoute of the namespace up.
func resolveBackend(namespace string, ref *gatewayv1.HTTPBackendRef, v view) (Backend, *unresolved) {
	b := Backend{Weight: 1, Service: types.NamespacedName{Namespace: namespace, Name: string(ref.Name)}}
	if ref.Namespace != nil {
		b.Service.Namespace = string(*ref.Namespace)
	}
	if ref.Weight != nil {
		b.Weight = uint32(max(0, min(*ref.Weight, 1_000_000)))
	}
	why := lookUp(namespace, ref, &b, v)
	b.Broken = why != nil
	return b, why
}

func lookUp(namespace string, ref *gatewayv1.HTTPBackendRef, b *Backend, v view) *unresolved {
	if (ref.Group != nil && *ref.Group != corev1.GroupName && *ref.Group != "core") || (ref.Kind != nil && *ref.Kind != "Service") {
		group, kind := "", "Service"
		if ref.Group != nil {
			group = string(*ref.Group)
		}
		if ref.Kind != nil {
			kind = string(*ref.Kind)
		}
		return broken(gatewayv1.RouteReasonInvalidKind, "kind %q of group %q is not supported, use Service", kind, group)
	}
	if !permitted(v, "HTTPRoute", namespace, "Service", b.Service.Namespace, b.Service.Name) {
		return broken(gatewayv1.RouteReasonRefNotPermitted, "no ReferenceGrant in namespace %s lets HTTPRoutes of namespace %s use Service %s", b.Service.Namespace, namespace, b.Service.Name)
	}
	svc := v.Service(b.Service)
	if svc == nil {
		return broken(gatewayv1.RouteReasonBackendNotFound, "Service %s does not exist", b.Service)
	}
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return broken(gatewayv1.RouteReasonInvalidKind, "Service %s is of type ExternalName, which has no endpoints of its own", b.Service)
	}
	if ref.Port == nil {
		return broken(gatewayv1.RouteReasonBackendNotFound, "port is missing, it must name a port of Service %s", b.Service)
	}
	b.Port = *ref.Port
	for i := range svc.Spec.Ports {
		p := &svc.Spec.Ports[i]
		if p.Port != b.Port || p.Protocol == corev1.ProtocolUDP || p.Protocol == corev1.ProtocolSCTP {
			continue
		}
		if v.encrypted(p) {
			return broken(gatewayv1.RouteReasonUnsupportedProtocol, "port %d of Service %s speaks TLS, to which this gateway cannot speak; use a port with plain HTTP", b.Port, b.Service)
		}
		return nil
	}
	return broken(gatewayv1.RouteReasonBackendNotFound, "Service %s has no TCP port %d", b.Service, b.Port)
}
