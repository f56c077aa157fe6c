package status

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
)

// Provision is what became of the objects with which a Gateway's proxies run.
type Provision struct {
	// Generation is that of the Gateway that was looked at.
	Generation int64
	// Managed tells that they are ours to make; otherwise somebody else runs the proxies.
	Managed bool
	// Addresses are where the Gateway can be reached now.
	Addresses []gatewayv1.GatewayStatusAddress
	// Awaits says why there are no addresses yet, "" that nothing is known of that.
	Awaits string
	// Invalid says what is wrong with the parameters, "" nothing. What runs stays as it was then.
	Invalid string
	// Trouble says why the objects are not what they should be, "" if they are.
	Trouble string
}

// GatewayInput is everything that the status of a Gateway depends on.
type GatewayInput struct {
	Generation int64
	Waypoint   bool
	// Routes is the judged routing; nil: the Gateway is not of a class of ours, and what we said of it goes.
	Routes *routes.Result
	// Done tells that a proxy is connected, and that each has the listeners; Message says what is missing.
	Done    bool
	Message string
	// NoneReady tells that there are Pods, and that none of them takes traffic.
	NoneReady bool
	Provision Provision
}

// Gateway is the status of a Gateway, as far as it is ours to say. previous is what stands there, and gives transition times.
//
// The addresses of a waypoint are set when a proxy of it takes traffic first, and stay then: istiod sends traffic to a waypoint
// as soon as it has an address, and ztunnel goes around one that loses it, and with it around its plugins.
func Gateway(in GatewayInput, previous gatewayv1.GatewayStatus, now time.Time) gatewayv1.GatewayStatus {
	p := routes.Programming{Done: in.Done, Message: in.Message, Addresses: in.Provision.Addresses}
	if in.Waypoint {
		if len(previous.Addresses) == 0 && in.Done && in.NoneReady {
			in.Done, in.Message = false, "no Pod of the waypoint is ready yet"
			p.Done, p.Message = in.Done, in.Message
		}
		switch {
		case len(previous.Addresses) == 0 && !in.Done:
			p.Addresses = nil
		case len(p.Addresses) == 0:
			p.Addresses = previous.Addresses
		}
	}
	out := in.Routes.GatewayStatus(p)
	for i := range out.Conditions {
		c := &out.Conditions[i]
		switch {
		case c.Type == string(gatewayv1.GatewayConditionAccepted) && in.Provision.Invalid != "":
			c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(gatewayv1.GatewayReasonInvalidParameters), in.Provision.Invalid
		case c.Type == string(gatewayv1.GatewayConditionProgrammed) && in.Provision.Trouble != "":
			c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(gatewayv1.GatewayReasonNoResources), in.Provision.Trouble
		case c.Reason == string(gatewayv1.GatewayReasonAddressNotAssigned) && !in.Provision.Managed:
			c.Message = "the Gateway has no address, and its proxies are run by somebody else: name its address in spec.addresses"
		case c.Reason == string(gatewayv1.GatewayReasonAddressNotAssigned) && in.Provision.Awaits != "":
			c.Message = in.Provision.Awaits
		case c.Type == string(gatewayv1.GatewayConditionProgrammed) && in.Waypoint && len(p.Addresses) == 0 && !in.Done && in.Message != "":
			c.Reason, c.Message = string(gatewayv1.GatewayReasonPending), in.Message
		}
	}
	stamp(out.Conditions, previous.Conditions, now)
	for i := range out.Listeners {
		var before []metav1.Condition
		for _, l := range previous.Listeners {
			if l.Name == out.Listeners[i].Name {
				before = l.Conditions
			}
		}
		stamp(out.Listeners[i].Conditions, before, now)
	}
	return out
}

// stamp sets the times: those of before where the status is the same.
func stamp(conditions, previous []metav1.Condition, now time.Time) {
	for i := range conditions {
		c := &conditions[i]
		c.Message = shortened(c.Message)
		c.LastTransitionTime = metav1.NewTime(now)
		for _, p := range previous {
			if p.Type == c.Type && p.Status == c.Status {
				c.LastTransitionTime = p.LastTransitionTime
			}
		}
	}
}

// LosesProxies tells that a Gateway was programmed, and is not any more because its proxies are not connected: after a restart
// of the controller that says more about the controller than about them.
func LosesProxies(in GatewayInput, previous gatewayv1.GatewayStatus) bool {
	if in.Routes == nil || in.Done || in.Provision.Trouble != "" {
		return false
	}
	for _, c := range previous.Conditions {
		if c.Type == string(gatewayv1.GatewayConditionProgrammed) {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}

// shortened keeps a message far below what the API takes (32768): it may hold a proxy's whole answer.
func shortened(s string) string {
	const most = 4000
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
