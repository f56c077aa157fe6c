package attach

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// Binding is the waypoint of one Service or ServiceEntry, or why it has none.
type Binding struct {
	// Waypoint is the Gateway that the labels name, bound or not; zero when they name none.
	Waypoint types.NamespacedName
	// Reason is "" when the Service is bound, else one of apis/extensions/v1alpha1/reasons.go.
	Reason string
	// Message says what to do next when the Service is not bound.
	Message string
}

// Bound tells whether the Service's traffic goes through the waypoint.
func (b Binding) Bound() bool { return b.Reason == "" }

// bindingInput is everything that a check of a binding looks at.
type bindingInput struct {
	Rules
	key      model.ServiceKey
	service  *service
	label    store.WaypointLabel
	source   string // who says so, for messages
	waypoint *gatewayv1.Gateway
}

// bindingChecks is the list that a Service must pass to be bound (Istio's waypoints.go, in its order). The first that
// fails gives the reason. There is no fall-back from a Service's own label to its Namespace's.
var bindingChecks = []func(*bindingInput) (reason, message string){
	serviceExists,
	serviceHasConnections, // not of type ExternalName
	serviceIsNoProxy,      // not itself the Service of a waypoint
	serviceNamesWaypoint,  // by its own label, else its Namespace's; not "none"
	waypointIsThere,       // and is a waypoint
	visibilityAllows,      // a private ServiceEntry stays in its namespace
	waypointAdmits,        // allowedRoutes of the mesh listener
	waypointTakesServices, // istio.io/waypoint-for
	serviceHasAddress,     // not headless
}

// Binding finds the waypoint of a Service or ServiceEntry.
func (r Rules) Binding(key model.ServiceKey) Binding {
	return r.binding(key, r.service(key))
}

func (r Rules) binding(key model.ServiceKey, s *service) Binding {
	in := &bindingInput{Rules: r, key: key, service: s}
	in.read()
	for _, check := range bindingChecks {
		if reason, message := check(in); reason != "" {
			return Binding{Waypoint: in.label.Gateway, Reason: reason, Message: message}
		}
	}
	return Binding{Waypoint: in.label.Gateway}
}

// read takes the whole reference from one level: the Service's own labels, else its Namespace's.
func (in *bindingInput) read() {
	if in.service == nil {
		return
	}
	in.label = store.ParseWaypointLabel(in.service.labels, in.key.Namespace)
	in.source = subject(in.key)
	if !in.label.Set {
		if namespace := in.Namespace(in.key.Namespace); namespace != nil {
			in.label = store.ParseWaypointLabel(namespace.Labels, in.key.Namespace)
			in.source = "Namespace " + in.key.Namespace
		}
	}
	if in.label.Set && !in.label.None {
		in.waypoint = in.Gateway(in.label.Gateway)
	}
}

func subject(key model.ServiceKey) string { return key.Kind + " " + key.Namespace + "/" + key.Name }

func serviceExists(in *bindingInput) (string, string) {
	if in.service != nil {
		return "", ""
	}
	return extv1.ReasonTargetNotFound, notFound(subject(in.key))
}

func serviceHasConnections(in *bindingInput) (string, string) {
	if !in.service.external {
		return "", ""
	}
	return extv1.ReasonTargetHasNoPorts, fmt.Sprintf("%s has type ExternalName, so no connection goes to it; "+
		"target a Service with a cluster IP, or a ServiceEntry for the external host", subject(in.key))
}

// proxyServices are Istio's values of gateway.istio.io/managed on the Services of waypoints and east-west gateways. Those of
// our own waypoints say istio.io/use-waypoint=none, which istiod understands as well.
var proxyServices = []string{"istio.io-mesh-controller", "istio.io-eastwest-controller"}

func serviceIsNoProxy(in *bindingInput) (string, string) {
	value := in.service.labels[extv1.LabelGatewayManaged]
	if !slices.Contains(proxyServices, value) {
		return "", ""
	}
	return extv1.ReasonNoWaypoint, fmt.Sprintf("%s belongs to a gateway (label %s=%s) and never uses a waypoint; "+
		"target the Gateway itself", subject(in.key), extv1.LabelGatewayManaged, value)
}

func serviceNamesWaypoint(in *bindingInput) (string, string) {
	switch {
	case !in.label.Set:
		return extv1.ReasonNoWaypoint, fmt.Sprintf("%s uses no waypoint; set the label %s on it or on Namespace %s",
			subject(in.key), extv1.LabelUseWaypoint, in.key.Namespace)
	case in.label.None:
		return extv1.ReasonNoWaypoint, fmt.Sprintf("%s opts out of waypoints with %s=none; set the label on %s to the "+
			"name of a waypoint", in.source, extv1.LabelUseWaypoint, subject(in.key))
	}
	return "", ""
}

func waypointIsThere(in *bindingInput) (string, string) {
	switch {
	case in.label.Gateway.Name == "" || in.label.Gateway.Namespace == "":
		return extv1.ReasonWaypointNotFound, fmt.Sprintf("%s has an empty label %s or %s, which names no waypoint, and no other "+
			"label counts beside it; write a name into it, or remove it", in.source, extv1.LabelUseWaypoint, extv1.LabelUseWaypointNamespace)
	case in.waypoint == nil:
		return extv1.ReasonWaypointNotFound, fmt.Sprintf("%s names waypoint %s, which does not exist; create that Gateway, "+
			"or correct the label %s", in.source, in.label.Gateway, extv1.LabelUseWaypoint)
	case !in.IsWaypoint(in.waypoint):
		return extv1.ReasonWaypointNotFound, fmt.Sprintf("%s names Gateway %s, which is not a waypoint; give it the "+
			"gatewayClassName %s, or name a waypoint in the label %s",
			in.source, in.label.Gateway, extv1.ClassWaypoint, extv1.LabelUseWaypoint)
	}
	return "", ""
}

func visibilityAllows(in *bindingInput) (string, string) {
	if !in.service.private || in.label.Gateway.Namespace == in.key.Namespace {
		return "", ""
	}
	return extv1.ReasonAttachmentDenied, fmt.Sprintf("%s is exported to its own namespace only (spec.exportTo), so it "+
		"cannot use waypoint %s of another namespace; export it, or use a waypoint in %s",
		subject(in.key), in.label.Gateway, in.key.Namespace)
}

func waypointAdmits(in *bindingInput) (string, string) {
	listener := in.MeshListener(in.waypoint)
	if in.admits(admissionOf(listener), in.waypoint.Namespace, in.key.Namespace) {
		return "", ""
	}
	where := "a listener HBONE on port 15008 with allowedRoutes.namespaces"
	if listener != nil {
		where = fmt.Sprintf("allowedRoutes.namespaces of listener %s", listener.Name)
	}
	return extv1.ReasonAttachmentDenied, fmt.Sprintf("Waypoint %s does not admit namespace %s; its owner can allow it "+
		"with %s", in.label.Gateway, in.key.Namespace, where)
}

func waypointTakesServices(in *bindingInput) (string, string) {
	value := in.waypointFor(in.waypoint)
	if value == "service" || value == "all" {
		return "", ""
	}
	return extv1.ReasonUnsupportedTrafficType, fmt.Sprintf("Waypoint %s takes no traffic to Services (%s=%s); set that "+
		"label to service or all", in.label.Gateway, extv1.LabelWaypointFor, value)
}

// serviceHasAddress comes last: of a Service that can be bound, the mesh still captures nothing that goes to its Pods.
func serviceHasAddress(in *bindingInput) (string, string) {
	if !in.service.headless || len(in.service.ports) == 0 {
		return "", ""
	}
	return extv1.ReasonTargetHasNoPorts, fmt.Sprintf("%s is headless (clusterIP None), so its clients connect to its Pods and "+
		"past waypoint %s; give it a cluster IP, or target another Service of those Pods", subject(in.key), in.label.Gateway)
}
