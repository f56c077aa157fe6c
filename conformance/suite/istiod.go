package suite

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

// view is all that istiod looks at to tell which waypoint takes the traffic of a Service. The rules here are Istio's, written
// down once more on purpose: nothing of ours is asked, or the suite could not tell when ours are wrong.
type view struct {
	namespaces map[string]*corev1.Namespace
	classes    map[string]*gatewayv1.GatewayClass
	gateways   map[types.NamespacedName]*gatewayv1.Gateway
}

// way is where the connections to a Service go: to a waypoint, or straight to the Pod when it names none.
type way struct {
	waypoint types.NamespacedName
	// ip is the waypoint's own address, port where it takes the PROXY protocol.
	ip   string
	port int
}

func (y way) address() string { return net.JoinHostPort(y.ip, strconv.Itoa(y.port)) }

// way finds the way to a Service, or to a ServiceEntry that is private or not.
func (v view) way(o metav1.ObjectMeta, private bool) way {
	if slices.Contains([]string{"istio.io-mesh-controller", "istio.io-eastwest-controller"}, o.Labels[ext.LabelGatewayManaged]) {
		return way{}
	}
	name, found := namedWaypoint(o.Labels, o.Namespace)
	if namespace := v.namespaces[o.Namespace]; !found && namespace != nil {
		name, found = namedWaypoint(namespace.Labels, o.Namespace)
	}
	gateway := v.gateways[name]
	if !found || gateway == nil || private && name.Namespace != o.Namespace {
		return way{}
	}
	ip := addressOf(gateway)
	kind := cmp.Or(gateway.Labels[ext.LabelWaypointFor], v.classOf(gateway).Labels[ext.LabelWaypointFor], "service")
	protocol, port := v.binding(gateway)
	if ip == "" || kind != "service" && kind != "all" || protocol != "PROXY" || !v.admits(gateway, port, o.Namespace) {
		return way{}
	}
	return way{waypoint: name, ip: ip, port: cmp.Or(port, waypointPort)}
}

// namedWaypoint reads one object's labels; found is true as soon as it speaks at all, so that nobody else is asked.
func namedWaypoint(labels map[string]string, namespace string) (name types.NamespacedName, found bool) {
	value, found := labels[ext.LabelUseWaypoint]
	if !found || value == "none" {
		return name, found
	}
	if other, is := labels[ext.LabelUseWaypointNamespace]; is {
		namespace = other
	}
	return types.NamespacedName{Namespace: namespace, Name: value}, true
}

// addressOf is the first IP address in the status; without one the Gateway is not ready, and nobody goes there.
func addressOf(gateway *gatewayv1.Gateway) string {
	for _, a := range gateway.Status.Addresses {
		if a.Type == nil || *a.Type == gatewayv1.IPAddressType {
			return a.Value
		}
	}
	return ""
}

func (v view) classOf(gateway *gatewayv1.Gateway) *gatewayv1.GatewayClass {
	if class := v.classes[string(gateway.Spec.GatewayClassName)]; class != nil {
		return class
	}
	return &gatewayv1.GatewayClass{}
}

// binding is how a waypoint takes connections: the Gateway's annotation goes before its class's.
func (v view) binding(gateway *gatewayv1.Gateway) (protocol string, port int) {
	text := cmp.Or(gateway.Annotations[ext.AnnotationInboundBinding], v.classOf(gateway).Annotations[ext.AnnotationInboundBinding])
	protocol, number, _ := strings.Cut(text, "/")
	port, _ = strconv.Atoi(number) // without a number it is 0
	return protocol, port
}

// admits tells whether allowedRoutes of the waypoint's listener takes a namespace: of the listener on the binding's port, else
// of the one for HBONE. Without a word it is the waypoint's own namespace.
func (v view) admits(gateway *gatewayv1.Gateway, port int, namespace string) bool {
	listeners := gateway.Spec.Listeners
	i := slices.IndexFunc(listeners, func(l gatewayv1.Listener) bool { return port != 0 && int(l.Port) == port })
	if i < 0 {
		i = slices.IndexFunc(listeners, func(l gatewayv1.Listener) bool { return l.Protocol == "HBONE" && l.Port == 15008 })
	}
	if i >= 0 && listeners[i].AllowedRoutes != nil && listeners[i].AllowedRoutes.Namespaces != nil {
		switch allowed := listeners[i].AllowedRoutes.Namespaces; {
		case allowed.From == nil:
		case *allowed.From == gatewayv1.NamespacesFromAll:
			return true
		case *allowed.From == gatewayv1.NamespacesFromSelector:
			selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
			return err == nil && v.namespaces[namespace] != nil && selector.Matches(labels.Set(v.namespaces[namespace].Labels))
		}
	}
	return namespace == gateway.Namespace
}

// isPrivate tells whether a ServiceEntry is seen in its own namespace alone.
func isPrivate(e *networkingv1.ServiceEntry) bool {
	return len(e.Spec.ExportTo) > 0 && !slices.ContainsFunc(e.Spec.ExportTo, func(to string) bool { return to != "." && to != e.Namespace })
}
