package store

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Kind is the kind of a stored object, as it stands in a manifest.
type Kind string

// The kinds that a Store takes. Kinds of different groups never share a name here, so that no group is needed.
const (
	KindWasmPlugin       Kind = extv1.KindWasmPlugin
	KindTrafficExtension Kind = extv1.KindTrafficExtension
	KindGateway          Kind = "Gateway"
	KindGatewayClass     Kind = "GatewayClass"
	KindHTTPRoute        Kind = "HTTPRoute"
	KindReferenceGrant   Kind = "ReferenceGrant"
	KindService          Kind = "Service"
	KindServiceEntry     Kind = networkingv1.KindServiceEntry
	KindNamespace        Kind = "Namespace"
	KindSecret           Kind = "Secret"
	KindEndpointSlice    Kind = "EndpointSlice"
	// The two kinds of MeshPolicy.
	KindAuthorizationPolicy   Kind = "AuthorizationPolicy"
	KindRequestAuthentication Kind = "RequestAuthentication"
	// KindWorkload is no object of an API: external proxies (model.Workload).
	KindWorkload Kind = "Workload"
)

// Ref names one stored object. Namespace is "" for GatewayClass and Namespace.
type Ref struct {
	Kind Kind
	types.NamespacedName
}

// String is "Kind namespace/name", or "Kind name" for objects without a namespace.
func (r Ref) String() string {
	if r.Namespace == "" {
		return string(r.Kind) + " " + r.Name
	}
	return string(r.Kind) + " " + r.NamespacedName.String()
}

// Event is one change of the world: a put if Object is set, otherwise the deletion of Deleted.
type Event struct {
	// Object is one of the types that RefOf knows.
	Object any
	// Deleted names the object that is gone; deleting one that is not there changes nothing.
	Deleted Ref
}

// RefOf names a typed object. The error says which Go type is unknown.
func RefOf(object any) (Ref, error) {
	switch o := object.(type) {
	case *model.Plugin:
		return Ref{Kind(o.Kind), o.NamespacedName()}, nil
	case *model.MeshPolicy:
		return Ref{Kind(o.Kind), o.NamespacedName()}, nil
	case *model.Workload:
		return Ref{KindWorkload, o.NamespacedName()}, nil
	case *gatewayv1.Gateway:
		return ref(KindGateway, o), nil
	case *gatewayv1.GatewayClass:
		return ref(KindGatewayClass, o), nil
	case *gatewayv1.HTTPRoute:
		return ref(KindHTTPRoute, o), nil
	case *gatewayv1.ReferenceGrant:
		return ref(KindReferenceGrant, o), nil
	case *corev1.Service:
		return ref(KindService, o), nil
	case *networkingv1.ServiceEntry:
		return ref(KindServiceEntry, o), nil
	case *corev1.Namespace:
		return ref(KindNamespace, o), nil
	case *corev1.Secret:
		return ref(KindSecret, o), nil
	case *discoveryv1.EndpointSlice:
		return ref(KindEndpointSlice, o), nil
	}
	return Ref{}, fmt.Errorf("the store takes no objects of type %T", object)
}

func ref(kind Kind, object interface {
	GetNamespace() string
	GetName() string
}) Ref {
	namespace := object.GetNamespace()
	if kind == KindGatewayClass || kind == KindNamespace {
		namespace = "" // A stray namespace in a manifest means nothing on a cluster-scoped kind.
	}
	return Ref{kind, types.NamespacedName{Namespace: namespace, Name: object.GetName()}}
}
