package store

import (
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Two objects are equal when no rule and no builder can tell them apart: labels, annotations and what the user wrote. Where a
// status of ours says which generation it speaks of, that counts too: an edit may mean nothing and still want an answer.
// Status (a Gateway's has one exception), resourceVersion and managedFields stay out, so that a write of our own status changes nothing (Istio once
// pushed the whole cluster for that: facts, section 8.1).

func sameMeta(a, b *metav1.ObjectMeta) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

func sameSpec(a, b any) bool { return equality.Semantic.DeepEqual(a, b) }

func sameWorkload(a, b *model.Workload) bool { return reflect.DeepEqual(a, b) }

func samePlugin(a, b *model.Plugin) bool { return reflect.DeepEqual(a, b) }

func samePolicy(a, b *model.MeshPolicy) bool { return reflect.DeepEqual(a, b) }

// sameGateway looks at one thing in the status: whether there is an address, without which nobody sends a waypoint anything.
func sameGateway(a, b *gatewayv1.Gateway) bool {
	return a.Generation == b.Generation && len(a.Status.Addresses) > 0 == (len(b.Status.Addresses) > 0) && sameMeta(&a.ObjectMeta, &b.ObjectMeta) && sameSpec(&a.Spec, &b.Spec)
}

func sameClass(a, b *gatewayv1.GatewayClass) bool {
	return sameMeta(&a.ObjectMeta, &b.ObjectMeta) && sameSpec(&a.Spec, &b.Spec)
}

// sameRoute looks at age too, because Gateway API breaks ties between routes with it.
func sameRoute(a, b *gatewayv1.HTTPRoute) bool {
	return a.Generation == b.Generation && sameMeta(&a.ObjectMeta, &b.ObjectMeta) && a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		sameSpec(&a.Spec, &b.Spec)
}

func sameGrant(a, b *gatewayv1.ReferenceGrant) bool { return sameSpec(&a.Spec, &b.Spec) }

func sameService(a, b *corev1.Service) bool {
	return sameMeta(&a.ObjectMeta, &b.ObjectMeta) && sameSpec(&a.Spec, &b.Spec)
}

func sameEntry(a, b *networkingv1.ServiceEntry) bool {
	return sameMeta(&a.ObjectMeta, &b.ObjectMeta) && sameSpec(&a.Spec, &b.Spec)
}

func sameNamespace(a, b *corev1.Namespace) bool { return sameMeta(&a.ObjectMeta, &b.ObjectMeta) }

func sameSecret(a, b *corev1.Secret) bool {
	return a.Type == b.Type && sameSpec(a.Data, b.Data) && sameSpec(a.StringData, b.StringData)
}

// sameSlice leaves annotations out: the endpoints controller stamps the time of the last change there.
func sameSlice(a, b *discoveryv1.EndpointSlice) bool {
	return maps.Equal(a.Labels, b.Labels) && a.AddressType == b.AddressType &&
		sameSpec(a.Endpoints, b.Endpoints) && sameSpec(a.Ports, b.Ports)
}
