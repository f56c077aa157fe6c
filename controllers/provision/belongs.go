package provision

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// InboundBinding is the binding of provisioned waypoints, as ambient.istio.io/waypoint-inbound-binding says it.
const InboundBinding = "PROXY/15088"

// IsOf tells whether a Gateway owns an object.
func IsOf(o metav1.Object, gw *gatewayv1.Gateway) bool {
	ref := metav1.GetControllerOf(o)
	return ref != nil && ref.UID == gw.UID && ref.Kind == "Gateway"
}

// IsFor tells whether an object was provisioned for a Gateway as one of the class that it has now.
func IsFor(o metav1.Object, gw *gatewayv1.Gateway) bool {
	labels := o.GetLabels()
	return IsOf(o, gw) && labels[LabelManagedBy] == ManagedBy &&
		labels[extv1.LabelGatewayClassName] == LabelValue(string(gw.Spec.GatewayClassName))
}

// TakesMeshTraffic tells whether a provisioned Service is a waypoint's.
func TakesMeshTraffic(s *corev1.Service) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == "proxy" && p.Port == ProxyPort })
}
