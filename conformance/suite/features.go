package suite

import (
	"slices"

	"sigs.k8s.io/gateway-api/pkg/features"
)

// The features that behaviours need.
const (
	// AttachToGateway: targetRefs with a Gateway of our ingress class.
	AttachToGateway features.FeatureName = "attach-to-gateway"
	// AttachToWaypoint: targetRefs with a Gateway that is a waypoint.
	AttachToWaypoint features.FeatureName = "attach-to-waypoint"
	// AttachToService: targetRefs with a Service behind a waypoint.
	AttachToService features.FeatureName = "attach-to-service"
	// Ordering: phase, priority, age.
	Ordering features.FeatureName = "ordering"
	// StatusAncestors: status.ancestors and status.conditions as GEP-713 wants them.
	StatusAncestors features.FeatureName = "status-ancestors"
	// FailClose: failStrategy FAIL_CLOSE.
	FailClose features.FeatureName = "fail-close"

	// AttachBySelector: spec.selector.
	AttachBySelector features.FeatureName = "attach-by-selector"
	// AttachByGatewayClass: targetRefs with a GatewayClass, from the root namespace.
	AttachByGatewayClass features.FeatureName = "attach-by-gatewayclass"
	// ExternalProxies: proxies that somebody else programs.
	ExternalProxies features.FeatureName = "external-proxies"
	// ClientIdentity: plugins at a waypoint know who the client is.
	ClientIdentity features.FeatureName = "client-identity"
	// FailOpen: failStrategy FAIL_OPEN.
	FailOpen features.FeatureName = "fail-open"
	// HTTPRoutes: plugins together with HTTPRoutes.
	HTTPRoutes features.FeatureName = "http-routes"
	// LastGood: what ran goes on when a change cannot.
	LastGood features.FeatureName = "last-good"
	// Lua: TrafficExtensions with a script.
	Lua features.FeatureName = "lua"
	// MatchMode: match.mode.
	MatchMode features.FeatureName = "match-mode"
	// MatchPorts: match.ports.
	MatchPorts features.FeatureName = "match-ports"
	// ModuleDigest: sha256 is checked, and the digest in use is shown.
	ModuleDigest features.FeatureName = "module-digest"
	// NetworkPlugins: type NETWORK.
	NetworkPlugins features.FeatureName = "network-plugins"
	// PrinterColumns: what kubectl get and kubectl wait need.
	PrinterColumns features.FeatureName = "printer-columns"
	// Provisioning: the proxies of a Gateway are made by the controller.
	Provisioning features.FeatureName = "provisioning"
	// ProxyIdentity: who is a proxy, and what it may ask for.
	ProxyIdentity features.FeatureName = "proxy-identity"
	// PullSecret: imagePullSecret.
	PullSecret features.FeatureName = "pull-secret"
	// TargetConditions: the condition on objects that plugins are attached to.
	TargetConditions features.FeatureName = "target-conditions"
	// Tenants: what plugins of other namespaces may not do.
	Tenants features.FeatureName = "tenants"
	// TLSListeners: plugins behind a listener with a certificate.
	TLSListeners features.FeatureName = "tls-listeners"
	// WaypointBinding: which waypoint a Service uses, and what is said about it.
	WaypointBinding features.FeatureName = "waypoint-binding"
)

// Profile is a group of features with a common purpose. A behaviour belongs to a profile when all that it needs is in it,
// and is of the extended level when any of that is not core.
type Profile struct {
	Name           string
	Core, Extended []features.FeatureName
}

// Profiles are all there are.
var Profiles = []Profile{
	{
		Name: "WASMPOINT-GATEWAY",
		Core: []features.FeatureName{AttachToGateway, Ordering, StatusAncestors, FailClose},
		Extended: []features.FeatureName{
			AttachBySelector, AttachByGatewayClass, ExternalProxies, FailOpen, HTTPRoutes, LastGood, Lua, MatchMode, MatchPorts, ModuleDigest,
			NetworkPlugins, PrinterColumns, Provisioning, ProxyIdentity, PullSecret, TargetConditions, TLSListeners,
		},
	},
	{
		Name: "WASMPOINT-WAYPOINT",
		Core: []features.FeatureName{AttachToWaypoint, AttachToService, Ordering, StatusAncestors, FailClose},
		Extended: []features.FeatureName{
			AttachByGatewayClass, ClientIdentity, FailOpen, LastGood, Lua, MatchMode, MatchPorts, ModuleDigest, NetworkPlugins,
			Provisioning, ProxyIdentity, TargetConditions, Tenants, WaypointBinding,
		},
	},
}

// AllFeatures are those of all profiles, sorted.
func AllFeatures() []features.FeatureName {
	var out []features.FeatureName
	for _, p := range Profiles {
		out = append(append(out, p.Core...), p.Extended...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Has tells whether a behaviour belongs to the profile.
func (p Profile) Has(t Test) bool {
	return !slices.ContainsFunc(t.Features, func(f features.FeatureName) bool {
		return !slices.Contains(p.Core, f) && !slices.Contains(p.Extended, f)
	})
}

func (p Profile) isExtended(t Test) bool {
	return slices.ContainsFunc(t.Features, func(f features.FeatureName) bool { return !slices.Contains(p.Core, f) })
}
