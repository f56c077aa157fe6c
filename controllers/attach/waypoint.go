package attach

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// Protocols and the port of listeners that take mesh traffic in.
const (
	protocolHBONE = gatewayv1.ProtocolType("HBONE")
	protocolPROXY = gatewayv1.ProtocolType("istio.io/PROXY")
	portHBONE     = 15008
)

// Inbound is how ztunnel hands connections to a waypoint, as ambient.istio.io/waypoint-inbound-binding says it.
type Inbound struct {
	// Protocol is "PROXY" or "NONE".
	Protocol string
	// Port is 0 when the annotation names none.
	Port int32
}

// builtinInbound is the binding of our own waypoints; their class carries it as an annotation.
var builtinInbound = Inbound{Protocol: "PROXY", Port: 15088}

// InboundBinding reads the binding of a Gateway: its own annotation, else its class's, else that of our waypoint class,
// which is known without a GatewayClass object. False means that there is none, or none that can be understood.
func (r Rules) InboundBinding(gateway *gatewayv1.Gateway) (Inbound, bool) {
	class := r.GatewayClass(string(gateway.Spec.GatewayClassName))
	if text := gateway.Annotations[extv1.AnnotationInboundBinding]; text != "" {
		return parseInbound(text)
	}
	if class != nil && class.Annotations[extv1.AnnotationInboundBinding] != "" {
		return parseInbound(class.Annotations[extv1.AnnotationInboundBinding])
	}
	if r.Class(string(gateway.Spec.GatewayClassName)) == extv1.ClassWaypoint {
		return builtinInbound, true
	}
	return Inbound{}, false
}

// parseInbound reads PROTOCOL or PROTOCOL/PORT; the protocols are Istio's, PROXY and NONE.
func parseInbound(text string) (Inbound, bool) {
	protocol, portText, hasPort := strings.Cut(text, "/")
	if protocol != "PROXY" && protocol != "NONE" {
		return Inbound{}, false
	}
	if !hasPort {
		return Inbound{Protocol: protocol}, true
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	return Inbound{Protocol: protocol, Port: int32(port)}, err == nil && port > 0
}

// waypointSigns is the list of what makes a Gateway a waypoint; one is enough. Istio's data plane looks at the same
// signs, where its plugin rules look at the class name alone.
var waypointSigns = []func(Rules, *gatewayv1.Gateway) bool{
	hasInboundBinding, // the annotation, on the Gateway or its class (or built in)
	hasMeshListener,   // a listener HBONE on 15008, or istio.io/PROXY
	isOfWaypointClass, // class istio-waypoint or wasmpoint-waypoint
}

// IsWaypoint tells whether a Gateway is a waypoint, by what it is. Its status is not asked.
func (r Rules) IsWaypoint(gateway *gatewayv1.Gateway) bool {
	for _, sign := range waypointSigns {
		if sign(r, gateway) {
			return true
		}
	}
	return false
}

func hasInboundBinding(r Rules, gateway *gatewayv1.Gateway) bool {
	_, ok := r.InboundBinding(gateway)
	return ok
}

func hasMeshListener(_ Rules, gateway *gatewayv1.Gateway) bool {
	for i := range gateway.Spec.Listeners {
		if isHBONE(&gateway.Spec.Listeners[i]) || gateway.Spec.Listeners[i].Protocol == protocolPROXY {
			return true
		}
	}
	return false
}

func isOfWaypointClass(r Rules, gateway *gatewayv1.Gateway) bool {
	switch r.Class(string(gateway.Spec.GatewayClassName)) {
	case ClassIstioWaypoint, extv1.ClassWaypoint:
		return true
	}
	return false
}

func isHBONE(listener *gatewayv1.Listener) bool {
	return listener.Protocol == protocolHBONE && listener.Port == portHBONE
}

// MeshListener is the listener of a waypoint whose allowedRoutes say who may use it: the one that the binding names,
// else the one with HBONE on 15008, else the one with istio.io/PROXY, else none (nil).
func (r Rules) MeshListener(gateway *gatewayv1.Gateway) *gatewayv1.Listener {
	inbound, bound := r.InboundBinding(gateway)
	for _, chosen := range []func(*gatewayv1.Listener) bool{
		func(l *gatewayv1.Listener) bool { return bound && inbound.Port != 0 && l.Port == inbound.Port },
		func(l *gatewayv1.Listener) bool {
			return bound && inbound.Port == 0 && inbound.Protocol == "PROXY" && l.Protocol == protocolPROXY
		},
		isHBONE,
		func(l *gatewayv1.Listener) bool { return l.Protocol == protocolPROXY },
	} {
		for i := range gateway.Spec.Listeners {
			if chosen(&gateway.Spec.Listeners[i]) {
				return &gateway.Spec.Listeners[i]
			}
		}
	}
	return nil
}

// waypointFor is the kind of traffic that a waypoint takes: the label on the Gateway, else on its class, else "service".
func (r Rules) waypointFor(gateway *gatewayv1.Gateway) string {
	if value := gateway.Labels[extv1.LabelWaypointFor]; value != "" {
		return value
	}
	if class := r.GatewayClass(string(gateway.Spec.GatewayClassName)); class != nil {
		if value := class.Labels[extv1.LabelWaypointFor]; value != "" {
			return value
		}
	}
	return "service"
}

// admission is what a waypoint's listener says about other namespaces. Its zero value admits the own one alone.
type admission struct {
	all      bool
	selector *metav1.LabelSelector
}

func admissionOf(listener *gatewayv1.Listener) admission {
	if listener == nil || listener.AllowedRoutes == nil || listener.AllowedRoutes.Namespaces == nil ||
		listener.AllowedRoutes.Namespaces.From == nil {
		return admission{}
	}
	switch *listener.AllowedRoutes.Namespaces.From {
	case gatewayv1.NamespacesFromAll:
		return admission{all: true}
	case gatewayv1.NamespacesFromSelector:
		selector := listener.AllowedRoutes.Namespaces.Selector
		if selector == nil {
			selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{nothing}}
		}
		return admission{selector: selector}
	}
	return admission{}
}

// nothing is a requirement that no namespace meets: every namespace carries this label.
var nothing = metav1.LabelSelectorRequirement{Key: metadataName, Operator: metav1.LabelSelectorOpDoesNotExist}

// metadataName is the label that Kubernetes puts on every Namespace; a Namespace from a file has it too.
const metadataName = "kubernetes.io/metadata.name"

func (r Rules) admits(a admission, own, namespace string) bool {
	switch {
	case a.all:
		return true
	case a.selector != nil:
		selector, err := metav1.LabelSelectorAsSelector(a.selector)
		return err == nil && selector.Matches(r.namespaceLabels(namespace))
	}
	return own == namespace
}

func (r Rules) namespaceLabels(name string) labels.Set {
	set := labels.Set{metadataName: name}
	if namespace := r.Namespace(name); namespace != nil {
		for key, value := range namespace.Labels {
			set[key] = value
		}
	}
	return set
}
