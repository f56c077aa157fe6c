package model

import "k8s.io/apimachinery/pkg/types"

// ServiceKey names the object behind a waypoint scope. The zero value means "none" (an ingress scope).
type ServiceKey struct {
	// Kind is "Service" or "ServiceEntry", or "".
	Kind      string
	Namespace string
	Name      string
}

// IsZero tells whether the key names nothing.
func (s ServiceKey) IsZero() bool { return s == ServiceKey{} }

// Scope is a place in a proxy where plugins run: (gateway, listener port), (waypoint, service, port), or (workload, side,
// port) in an external proxy. It is comparable, and it carries only its identity.
type Scope struct {
	// Gateway is whose proxies have the place: a Gateway's, or (IsWorkload) those of Pods that somebody else programs.
	Gateway types.NamespacedName
	// Service is zero at an ingress gateway.
	Service ServiceKey
	// Port is the Gateway listener's port at an ingress gateway and the Service's port at a waypoint.
	Port int32
	// Side is set in the proxies of a workload alone.
	Side Side
}

// Place is a scope with what the rules and the builders have to know of it.
type Place struct {
	Scope
	// Listeners are the names of the Gateway's listeners that form this scope, in the Gateway's order: all that share
	// the port at an ingress gateway, the one that takes mesh traffic in at a waypoint (empty if it has none).
	Listeners []string
	// HTTP tells whether the scope has HTTP slots (an HTTP connection manager).
	HTTP bool
	// Network tells whether the scope has network slots: ingress ports of every protocol, and TCP ports at a waypoint.
	Network bool
	// Waypoint tells whether the gateway is a waypoint.
	Waypoint bool
	// Istio tells that Istio programs the proxies, and runs all plugins there but those that are labelled as ours.
	Istio bool
}

// Server tells that the place is on the server's side of a connection, for match.mode.
func (p Place) Server() bool { return p.Waypoint || p.Side == SideInbound }

// NetworkSlots is how many NETWORK plugins one scope can carry: Envoy has no network filter chain that ECDS can fill,
// so every chain carries this many single slots from the start.
const NetworkSlots = 4

// PluginSet is the ordered plugins of one scope, per phase (indexed by Phase.Index).
type PluginSet struct {
	HTTP    [4][]*Plugin
	Network [4][]*Plugin
}

// Verdict is what became of one target of a plugin. Exactly one verdict stands for every declared target, in declared
// order; a plugin without targets has one for each Gateway that it reaches, or a single one with its reason.
type Verdict struct {
	Target   TargetRef
	Accepted bool
	// Reason is one of the reasons in apis/extensions/v1alpha1/reasons.go.
	Reason string
	// Message says what to do next when the plugin was not accepted.
	Message string
	// Scopes are where the plugin runs because of this target, sorted.
	Scopes []Scope
}
