package routes

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// routeConditions are the conditions of one parentRef.
func routeConditions(r *gatewayv1.HTTPRoute, why *refusal, f findings) []metav1.Condition {
	accepted := condition(gatewayv1.RouteConditionAccepted, true, gatewayv1.RouteReasonAccepted, r.Generation, "the route is attached")
	switch {
	case why != nil:
		accepted = condition(gatewayv1.RouteConditionAccepted, false, why.reason, r.Generation, "%s", why.message)
	case f.unsupported != nil:
		accepted = condition(gatewayv1.RouteConditionAccepted, false, gatewayv1.RouteReasonUnsupportedValue, r.Generation, "%v", f.unsupported)
	}
	resolved := condition(gatewayv1.RouteConditionResolvedRefs, true, gatewayv1.RouteReasonResolvedRefs, r.Generation, "all references resolve")
	if f.unresolved != nil {
		resolved = condition(gatewayv1.RouteConditionResolvedRefs, false, f.unresolved.reason, r.Generation, "%s", f.unresolved.message)
	}
	return []metav1.Condition{accepted, resolved}
}

// Programming says how far the proxies of a Gateway are.
type Programming struct {
	// Done tells that the listeners of the current generation stand in every connected proxy, and that there is one.
	Done bool
	// Message says what is missing while Done is false.
	Message string
	// Addresses are where the gateway can be reached; without one it is not programmed.
	Addresses []gatewayv1.GatewayStatusAddress
}

// GatewayStatus gives the status of the Gateway. Conditions have no times; the writer sets them.
func (r *Result) GatewayStatus(p Programming) gatewayv1.GatewayStatus {
	generation := r.gateway.Generation
	st := gatewayv1.GatewayStatus{Addresses: p.Addresses}
	var valid int
	var invalid, conflicted []string
	for i := range r.Listeners {
		l := &r.Listeners[i]
		st.Listeners = append(st.Listeners, gatewayv1.ListenerStatus{
			Name: gatewayv1.SectionName(l.Name), SupportedKinds: l.SupportedKinds, AttachedRoutes: l.AttachedRoutes,
			Conditions: append(slices.Clone(l.Conditions), l.programmed(generation, p)),
		})
		switch {
		case isTrue(l.Conditions, gatewayv1.ListenerConditionConflicted):
			conflicted = append(conflicted, l.Name)
		case !isTrue(l.Conditions, gatewayv1.ListenerConditionAccepted):
			invalid = append(invalid, l.Name)
		}
		if l.Valid {
			valid++
		}
	}
	broken := append(invalid, conflicted...)
	accepted := condition(gatewayv1.GatewayConditionAccepted, true, gatewayv1.GatewayReasonAccepted, generation, "the Gateway is valid")
	switch {
	case len(r.Listeners) == 0 || len(broken) == len(r.Listeners):
		accepted = condition(gatewayv1.GatewayConditionAccepted, false, gatewayv1.GatewayReasonListenersNotValid, generation,
			"no listener is valid: %s", orNone(broken))
	case len(broken) > 0:
		accepted = condition(gatewayv1.GatewayConditionAccepted, true, gatewayv1.GatewayReasonListenersNotValid, generation,
			"listeners not valid: %s; conflicted: %s; the others are served", orNone(invalid), orNone(conflicted))
	}
	programmed := condition(gatewayv1.GatewayConditionProgrammed, true, gatewayv1.GatewayReasonProgrammed, generation, "every connected proxy has the listeners")
	switch {
	case valid == 0:
		programmed = condition(gatewayv1.GatewayConditionProgrammed, false, gatewayv1.GatewayReasonInvalid, generation, "no listener can be served, see the conditions of the listeners")
	case len(p.Addresses) == 0:
		programmed = condition(gatewayv1.GatewayConditionProgrammed, false, gatewayv1.GatewayReasonAddressNotAssigned, generation, "the Gateway has no address yet")
	case !p.Done:
		programmed = condition(gatewayv1.GatewayConditionProgrammed, false, gatewayv1.GatewayReasonPending, generation, "%s", orDefault(p.Message, "proxies still have to take the listeners"))
	}
	st.Conditions = []metav1.Condition{accepted, programmed}
	return st
}

func (l *Listener) programmed(generation int64, p Programming) metav1.Condition {
	switch {
	case !l.Valid:
		return condition(gatewayv1.ListenerConditionProgrammed, false, gatewayv1.ListenerReasonInvalid, generation, "the listener is not served, see its other conditions")
	case !p.Done:
		return condition(gatewayv1.ListenerConditionProgrammed, false, gatewayv1.ListenerReasonPending, generation, "%s", orDefault(p.Message, "proxies still have to take the listener"))
	default:
		return condition(gatewayv1.ListenerConditionProgrammed, true, gatewayv1.ListenerReasonProgrammed, generation, "every connected proxy has the listener")
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
