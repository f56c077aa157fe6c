// Package routes works out what a managed ingress gateway serves: which of its listeners are valid, which HTTPRoutes are
// attached to them, and in which order their rules are tried. The result is a neutral model (xds/dataplane makes Envoy's
// resources of it) and the conditions that Gateway API asks for.
//
// It is pure: objects come in through a narrow View, nothing is written, no clock is read, and the same objects give the
// same result in whatever order they come.
package routes

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// View is what the rules read of the world besides the Gateway and the routes themselves; store.Store is one. Objects that
// do not exist are nil.
type View interface {
	Namespace(name string) *corev1.Namespace
	Service(types.NamespacedName) *corev1.Service
	Secret(types.NamespacedName) *corev1.Secret
	ReferenceGrantsIn(namespace string) []*gatewayv1.ReferenceGrant
}

// Input is one managed gateway and the routes that may name it.
type Input struct {
	Gateway *gatewayv1.Gateway
	// Waypoint tells whether the gateway is a waypoint: it takes mesh traffic in and serves no routes.
	Waypoint bool
	// Routes are the HTTPRoutes with a parentRef to the Gateway; others among them are passed over.
	Routes []*gatewayv1.HTTPRoute
	// Encrypted tells whether clients of a Service's port speak TLS to it (protocol https or tls); such a port cannot be a
	// backend. Nil means that none does.
	Encrypted func(*corev1.ServicePort) bool
}

// Result is what the gateway serves and what the objects' status says about it.
type Result struct {
	// Listeners stand in the Gateway's order.
	Listeners []Listener
	// Ports are sorted by number; a port without a valid listener is not among them.
	Ports []Port
	// Routes hold the conditions of this Gateway's parentRefs, sorted by namespace and name.
	Routes []RouteStatus

	gateway *gatewayv1.Gateway
}

// Listener is one listener of the Gateway, judged.
type Listener struct {
	Name     string
	Port     int32
	Protocol gatewayv1.ProtocolType
	// Hostname is lower case; "" stands for all.
	Hostname string
	// Valid tells that the listener is served: its port gets a listener in the proxy.
	Valid bool
	// Certificates are the usable TLS Secrets of an HTTPS listener, in declared order.
	Certificates []types.NamespacedName
	// AttachedRoutes counts the accepted routes.
	AttachedRoutes int32
	SupportedKinds []gatewayv1.RouteGroupKind
	// Conditions are Accepted, Conflicted and ResolvedRefs, without times. Programmed is added by GatewayStatus.
	Conditions []metav1.Condition

	allowed func(namespace string) bool
}

// Port is one port that the gateway serves.
type Port struct {
	Port int32
	TLS  bool
	// Chains is one for plain HTTP, and one per listener with TLS, sorted by hostname.
	Chains []Chain
}

// Chain is the routing table of one port, or of one TLS listener of it.
type Chain struct {
	// Listener is the listener's name, "" for plain HTTP (all listeners of the port share the chain).
	Listener string
	// Hostname selects the chain by SNI; "" takes every connection that no other chain takes.
	Hostname     string
	Certificates []types.NamespacedName
	// Hosts are sorted by domain, each domain once.
	Hosts []VirtualHost
}

// VirtualHost is what is served for a domain: exact, "*.suffix" or "*". The most specific domain of a chain counts.
type VirtualHost struct {
	Domain string
	// Misdirected tells that another TLS listener owns the domain: every request is answered 421 (Gateway API, Listener
	// hostname; RFC 9110 section 15.5.20).
	Misdirected bool
	// Rules stand in the order in which they are tried; a request that none of them matches is answered 404.
	Rules []*Rule
}

// Rule is one match of one rule of an HTTPRoute with what happens then.
type Rule struct {
	// Name is "namespace/name/rule/match".
	Name  string
	Match Match
	// Status, if not zero, is answered at once.
	Status int
	// Redirect, if set, is answered at once.
	Redirect *Redirect
	// Backends share the requests by weight.
	Backends []Backend
	Rewrite  *Rewrite
	Request  Headers
	Response Headers
	// Timeout bounds the whole request, BackendTimeout one try; nil and zero mean no limit.
	Timeout        *time.Duration
	BackendTimeout *time.Duration
	Retry          *Retry
	order          order
}

// PathKind is the kind of a path match.
type PathKind int

// The kinds of path matches, in order of precedence. Gateway API leaves the place of expressions open; they stand before
// prefixes, so that a route with an expression is not swallowed by the prefix "/" of another.
const (
	PathExact PathKind = iota
	PathRegex
	PathPrefix
)

// Match is a condition on a request; all parts must hold.
type Match struct {
	PathKind PathKind
	// Path of a prefix match has no slash at its end, except "/" itself.
	Path    string
	Method  string
	Headers []ValueMatch
	Query   []ValueMatch
}

// ValueMatch is a condition on one header or query parameter.
type ValueMatch struct {
	Name  string
	Value string
	// Regex tells that Value is an expression for the whole value (RE2).
	Regex bool
}

// Backend is one weighted backend of a rule.
type Backend struct {
	Service types.NamespacedName
	Port    int32
	Weight  uint32
	// Broken tells that the reference does not resolve or is not permitted: its share is answered 500.
	Broken   bool
	Request  Headers
	Response Headers
}

// Header is a name and a value.
type Header struct{ Name, Value string }

// Headers are changes of headers: Set replaces, Add appends, Remove removes.
type Headers struct {
	Set, Add []Header
	Remove   []string
}

// PathChange replaces the path, or the prefix that matched.
type PathChange struct {
	// Full is the new path if Prefix is false, else what stands in the place of the matched prefix.
	Prefix bool
	Value  string
}

// Redirect is answered with a Location. Empty fields keep what the request has.
type Redirect struct {
	Scheme   string
	Hostname string
	// Port is 0 if the request's own port is kept.
	Port int32
	// WellKnown tells that Port is the usual one of the new location's scheme, so that it need not be written.
	WellKnown bool
	Path      *PathChange
	Code      int
}

// Rewrite changes the request on its way to the backend.
type Rewrite struct {
	Hostname string
	Path     *PathChange
}

// Retry is a rule's own retry policy.
type Retry struct {
	Attempts uint32
	Codes    []uint32
	Backoff  time.Duration
}

// RouteStatus is the status of one HTTPRoute with regard to one Gateway.
type RouteStatus struct {
	Route      types.NamespacedName
	Generation int64
	// Parents hold one entry for each parentRef to the Gateway, in declared order; conditions have no times.
	Parents []gatewayv1.RouteParentStatus
}
