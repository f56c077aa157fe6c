package status

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ClassInput is everything that the status of a GatewayClass depends on.
type ClassInput struct {
	// Waypoint tells that Gateways of the class take mesh traffic: they serve no routes.
	Waypoint bool
	// Invalid says what is wrong with the parameters, "" nothing.
	Invalid string
}

// features are those of Gateway API that an ingress gateway has, by their names in its conformance profiles. A feature stands
// here when controllers/routes and xds/dataplane do it; the list is sorted, as the API asks.
var features = []gatewayv1.FeatureName{
	"Gateway",
	"GatewayHTTPListenerIsolation",
	"GatewayInfrastructure",
	"GatewayPort8080",
	"HTTPRoute",
	"HTTPRoute303RedirectStatusCode",
	"HTTPRoute307RedirectStatusCode",
	"HTTPRoute308RedirectStatusCode",
	"HTTPRouteBackendProtocolH2C",
	"HTTPRouteBackendProtocolWebSocket",
	"HTTPRouteBackendRequestHeaderModification",
	"HTTPRouteBackendTimeout",
	"HTTPRouteHostRewrite",
	"HTTPRouteMethodMatching",
	"HTTPRouteParentRefPort",
	"HTTPRoutePathRedirect",
	"HTTPRoutePathRewrite",
	"HTTPRoutePortRedirect",
	"HTTPRouteQueryParamMatching",
	"HTTPRouteRequestTimeout",
	"HTTPRouteResponseHeaderModification",
	"HTTPRouteSchemeRedirect",
	"ReferenceGrant",
}

// Class is the status of a GatewayClass of ours.
func Class(in ClassInput, generation int64, previous gatewayv1.GatewayClassStatus, now time.Time) gatewayv1.GatewayClassStatus {
	c := metav1.Condition{
		Type: string(gatewayv1.GatewayClassConditionStatusAccepted), Status: metav1.ConditionTrue, ObservedGeneration: generation,
		Reason: string(gatewayv1.GatewayClassReasonAccepted), Message: "Gateways of the class get proxies",
	}
	if in.Invalid != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(gatewayv1.GatewayClassReasonInvalidParameters), in.Invalid
	}
	out := gatewayv1.GatewayClassStatus{Conditions: []metav1.Condition{c}}
	stamp(out.Conditions, previous.Conditions, now)
	if !in.Waypoint {
		for _, f := range slices.Sorted(slices.Values(features)) {
			out.SupportedFeatures = append(out.SupportedFeatures, gatewayv1.SupportedFeature{Name: f})
		}
	}
	return out
}
