package status

import (
	"cmp"
	"slices"
	"strings"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// concernsWaypoint tells whether a declared target is one that Istio's WaypointAccepted speaks of. A GatewayClass is, as
// in Istio, unless it was accepted at ingress gateways alone, where wasmpoint takes it too.
func concernsWaypoint(t Target) bool {
	atWaypoint := slices.ContainsFunc(t.Scopes, func(s model.Scope) bool { return !s.Service.IsZero() })
	switch t.Target.Kind {
	case "Service", "ServiceEntry":
		return true
	case "Gateway":
		return t.Waypoint || atWaypoint
	case "GatewayClass":
		// Without declared targets the class is what was reached, not what was asked for; waypoints never are.
		return t.GatewayClass == "" && (!t.Accepted || atWaypoint)
	}
	return false
}

// waypointAccepted sums the targets that concern waypoints up as Istio does for AuthorizationPolicies: one target says
// its own reason; of several, one that is bound makes it True, and the message lists those that are not, in Istio's
// form. concerns is false when there is no such target.
func waypointAccepted(all []outcome) (a answer, concerns bool) {
	var mine, unbound []outcome
	for _, o := range all {
		if !o.waypoint {
			continue
		}
		mine = append(mine, o)
		if !o.accepted.ok {
			unbound = append(unbound, o)
		}
	}
	switch {
	case len(mine) == 0:
		return answer{}, false
	case len(mine) == 1 && len(unbound) == 1:
		return answer{reason: istioReason(mine[0].accepted.reason), message: mine[0].accepted.message}, true
	case len(mine) == 1:
		return answer{ok: true, reason: ext.ReasonAccepted, message: boundTo(mine[0])}, true
	}
	a = answer{ok: len(unbound) < len(mine), reason: ext.ReasonInvalid}
	switch {
	case len(unbound) == 0:
		a.reason = ext.ReasonAccepted
	case a.ok:
		a.reason = ext.ReasonPartiallyInvalid
	}
	names := make([]string, 0, len(unbound))
	for _, o := range unbound {
		names = append(names, istioName(o.target))
	}
	if len(names) > 0 {
		a.message = "Invalid targetRefs: " + strings.Join(names, ", ")
	}
	return a, true
}

// istioReason says one of our Accepted reasons in the words that Istio has.
func istioReason(reason string) string {
	switch reason {
	case ext.ReasonTargetNotFound:
		return ext.ReasonTargetNotFound
	case ext.ReasonNoWaypoint, ext.ReasonWaypointNotFound, ext.ReasonAttachmentDenied, ext.ReasonUnsupportedTrafficType,
		ext.ReasonTargetHasNoGateways, ext.ReasonTargetHasNoPorts:
		return ext.ReasonAncestorNotBound
	}
	return ext.ReasonInvalid
}

// istioName is Kind.group:namespace/name, with "core" for the empty group.
func istioName(t model.TargetRef) string {
	name := t.Kind + "." + cmp.Or(t.Group, "core") + ":"
	if t.Namespace != "" {
		name += t.Namespace + "/"
	}
	return name + t.Name
}

// boundTo names the waypoints at which a target's plugin stands.
func boundTo(o outcome) string {
	var names []string
	for _, s := range o.scopes {
		if name := s.Gateway.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return "bound to " + few(names, ", ")
}
