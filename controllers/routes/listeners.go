package routes

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Protocols of a waypoint's listener (Istio).
const (
	protocolHBONE = "HBONE"
	protocolPROXY = "istio.io/PROXY"
)

// reserved are the ports that a proxy itself has, and what for.
var reserved = map[int32]string{15000: "Envoy's admin endpoint", 15021: "where the kubelet asks whether it is ready"}

// Serves tells whether an ingress gateway can have a listener of a protocol on a port, whatever else is wrong with that.
func Serves(protocol gatewayv1.ProtocolType, port int32) bool {
	return supported(false, protocol) && reserved[port] == ""
}

// problem is why a listener is not accepted or a reference does not resolve.
type problem struct {
	reason  gatewayv1.ListenerConditionReason
	message string
}

// judgeListeners judges all listeners of the Gateway.
func judgeListeners(in Input, v View) []Listener {
	conflicts := findConflicts(in)
	out := make([]Listener, 0, len(in.Gateway.Spec.Listeners))
	for i := range in.Gateway.Spec.Listeners {
		out = append(out, judgeListener(in, v, &in.Gateway.Spec.Listeners[i], conflicts[i]))
	}
	return out
}

func judgeListener(in Input, v View, spec *gatewayv1.Listener, conflict *problem) Listener {
	l := Listener{Name: string(spec.Name), Port: spec.Port, Protocol: spec.Protocol}
	if spec.Hostname != nil {
		l.Hostname = strings.ToLower(string(*spec.Hostname))
	}
	generation := in.Gateway.Generation
	var unresolved *problem
	l.SupportedKinds, unresolved = supportedKinds(in.Waypoint, spec)
	rejected := unsupported(in, spec)
	var bad *problem
	l.allowed, bad = namespaceRule(in.Gateway.Namespace, spec, v)
	if rejected == nil {
		rejected = bad
	}
	if rejected == nil && !in.Waypoint && spec.Protocol == gatewayv1.HTTPSProtocolType {
		var certs *problem
		if l.Certificates, certs = certificates(in.Gateway, spec, v); certs != nil {
			unresolved = certs
		}
	}
	switch {
	case rejected != nil:
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionAccepted, false, rejected.reason, generation, "%s", rejected.message))
	case conflict != nil:
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionAccepted, false, conflict.reason, generation, "%s", conflict.message))
	default:
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionAccepted, true, gatewayv1.ListenerReasonAccepted, generation, "the listener is valid"))
	}
	if conflict != nil {
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionConflicted, true, conflict.reason, generation, "%s", conflict.message))
	} else {
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionConflicted, false, gatewayv1.ListenerReasonNoConflicts, generation, "no other listener claims the same"))
	}
	if unresolved != nil {
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionResolvedRefs, false, unresolved.reason, generation, "%s", unresolved.message))
	} else {
		l.Conditions = append(l.Conditions, condition(gatewayv1.ListenerConditionResolvedRefs, true, gatewayv1.ListenerReasonResolvedRefs, generation, "all references resolve"))
	}
	l.Valid = rejected == nil && conflict == nil &&
		(in.Waypoint || spec.Protocol != gatewayv1.HTTPSProtocolType || len(l.Certificates) > 0)
	return l
}

// supported tells whether a managed gateway serves the protocol at all.
func supported(waypoint bool, p gatewayv1.ProtocolType) bool {
	if waypoint {
		return p == protocolHBONE || p == protocolPROXY
	}
	return p == gatewayv1.HTTPProtocolType || p == gatewayv1.HTTPSProtocolType
}

func unsupported(in Input, spec *gatewayv1.Listener) *problem {
	if !supported(in.Waypoint, spec.Protocol) {
		want := "HTTP or HTTPS"
		if in.Waypoint {
			want = "HBONE or istio.io/PROXY (this Gateway is a waypoint)"
		}
		return &problem{gatewayv1.ListenerReasonUnsupportedProtocol, fmt.Sprintf("protocol %q is not served, use %s", spec.Protocol, want)}
	}
	if spec.Port < 1 || spec.Port > 65535 {
		return &problem{gatewayv1.ListenerReasonPortUnavailable, fmt.Sprintf("port %d is not between 1 and 65535", spec.Port)}
	}
	if what := reserved[spec.Port]; what != "" && !in.Waypoint {
		return &problem{gatewayv1.ListenerReasonPortUnavailable, fmt.Sprintf("port %d of the proxy is %s, use another one", spec.Port, what)}
	}
	if h := spec.Hostname; h != nil && *h != "" && !hostnameForm.MatchString(strings.ToLower(string(*h))) {
		return &problem{gatewayv1.ListenerReasonUnsupportedValue, fmt.Sprintf("hostname %q is not a hostname", *h)}
	}
	if in.Waypoint || spec.Protocol != gatewayv1.HTTPSProtocolType {
		return nil
	}
	if spec.TLS != nil && spec.TLS.Mode != nil && *spec.TLS.Mode != gatewayv1.TLSModeTerminate {
		return &problem{gatewayv1.ListenerReasonUnsupportedValue, fmt.Sprintf("tls.mode %q is not supported with HTTPS, use Terminate", *spec.TLS.Mode)}
	}
	if clientCertificates(in.Gateway, spec.Port) {
		// Serving it without the check would open what the Gateway's owner wants closed.
		return &problem{gatewayv1.ListenerReasonUnsupportedValue, "spec.tls.frontend asks for client certificates, which are not supported: remove it, or check clients in a plugin"}
	}
	return nil
}

func clientCertificates(gw *gatewayv1.Gateway, port int32) bool {
	if gw.Spec.TLS == nil || gw.Spec.TLS.Frontend == nil {
		return false
	}
	for _, p := range gw.Spec.TLS.Frontend.PerPort {
		if p.Port == port {
			return p.TLS.Validation != nil
		}
	}
	return gw.Spec.TLS.Frontend.Default.Validation != nil
}

// findConflicts gives, per listener, what it clashes with: a listener of another protocol on its port, or one with the
// same hostname. All of them lose (Gateway API, "Handling indistinct Listeners"). Listeners of protocols that are not
// served take no part.
func findConflicts(in Input) []*problem {
	specs := in.Gateway.Spec.Listeners
	out := make([]*problem, len(specs))
	if in.Waypoint {
		return out
	}
	host := func(l gatewayv1.Listener) string {
		if l.Hostname == nil {
			return anyHost
		}
		return domain(string(*l.Hostname))
	}
	for i, a := range specs {
		for j, b := range specs {
			if i == j || a.Port != b.Port || !supported(false, a.Protocol) || !supported(false, b.Protocol) {
				continue
			}
			switch {
			case a.Protocol != b.Protocol:
				out[i] = &problem{gatewayv1.ListenerReasonProtocolConflict, fmt.Sprintf("listener %q serves %s on port %d, too", b.Name, b.Protocol, b.Port)}
			case host(a) == host(b) && out[i] == nil:
				out[i] = &problem{gatewayv1.ListenerReasonHostnameConflict, fmt.Sprintf("listener %q has port %d and hostname %q, too", b.Name, b.Port, host(b))}
			}
		}
	}
	return out
}

// supportedKinds gives the route kinds that the listener takes.
func supportedKinds(waypoint bool, spec *gatewayv1.Listener) ([]gatewayv1.RouteGroupKind, *problem) {
	group := gatewayv1.Group(gatewayv1.GroupName)
	ours := []gatewayv1.RouteGroupKind{{Group: &group, Kind: "HTTPRoute"}}
	if waypoint || !supported(false, spec.Protocol) {
		return []gatewayv1.RouteGroupKind{}, nil
	}
	if spec.AllowedRoutes == nil || len(spec.AllowedRoutes.Kinds) == 0 {
		return ours, nil
	}
	var unknown []string
	found := false
	for _, k := range spec.AllowedRoutes.Kinds {
		if k.Kind == "HTTPRoute" && (k.Group == nil || *k.Group == gatewayv1.GroupName) {
			found = true
			continue
		}
		unknown = append(unknown, string(k.Kind))
	}
	if !found {
		ours = []gatewayv1.RouteGroupKind{}
	}
	if len(unknown) == 0 {
		return ours, nil
	}
	slices.Sort(unknown)
	return ours, &problem{gatewayv1.ListenerReasonInvalidRouteKinds, fmt.Sprintf("allowedRoutes.kinds: %s not supported, use HTTPRoute", strings.Join(unknown, ", "))}
}

// namespaceRule gives the listener's rule about namespaces of routes (allowedRoutes.namespaces; absent means Same).
func namespaceRule(own string, spec *gatewayv1.Listener, v View) (func(string) bool, *problem) {
	from := gatewayv1.NamespacesFromSame
	var selector *metav1.LabelSelector
	if spec.AllowedRoutes != nil && spec.AllowedRoutes.Namespaces != nil {
		if f := spec.AllowedRoutes.Namespaces.From; f != nil {
			from = *f
		}
		selector = spec.AllowedRoutes.Namespaces.Selector
	}
	none := func(string) bool { return false }
	switch from {
	case gatewayv1.NamespacesFromSame:
		return func(ns string) bool { return ns == own }, nil
	case gatewayv1.NamespacesFromAll:
		return func(string) bool { return true }, nil
	case gatewayv1.NamespacesFromNone:
		return none, nil
	case gatewayv1.NamespacesFromSelector:
		match, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return none, &problem{gatewayv1.ListenerReasonUnsupportedValue, fmt.Sprintf("allowedRoutes.namespaces.selector: %v", err)}
		}
		return func(ns string) bool {
			namespace := v.Namespace(ns)
			return namespace != nil && match.Matches(labels.Set(namespace.Labels))
		}, nil
	default:
		return none, &problem{gatewayv1.ListenerReasonUnsupportedValue, fmt.Sprintf("allowedRoutes.namespaces.from: %q is not known, use Same, All, Selector or None", from)}
	}
}
