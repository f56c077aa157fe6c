package attach

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// attempt is one plugin at one place of a Gateway that a target of the plugin reaches.
type attempt struct {
	root   string
	plugin *model.Plugin
	// gateway is nil at external proxies.
	gateway *gatewayv1.Gateway
	place   model.Place
}

// placeCheck is one condition that a plugin must meet at a place, with the reason if it does not.
type placeCheck struct {
	reason string
	passes func(*attempt) bool
}

// placeChecks is the list that answers when a plugin, once a target reaches a place, runs there. The order decides which
// reason a user sees: that of the place which came furthest. The number of network slots is checked after it, because
// it needs all plugins of the place.
var placeChecks = []placeCheck{
	{extv1.ReasonOtherRevision, revisionMatches},    // what Istio programs takes only plugins that are labelled as ours
	{extv1.ReasonNotPermitted, isPermitted},         // Lua and host environment of a foreign namespace
	{extv1.ReasonNoMatchingMode, modeMatches},       // match.mode: CLIENT at ingress gateways, SERVER at waypoints
	{extv1.ReasonNoMatchingPort, portMatches},       // match.ports: the listener's port, or the Service's
	{extv1.ReasonProtocolMismatch, protocolMatches}, // type: HTTP needs HTTP slots, NETWORK network slots
}

// failedCheck is the index of the first check that the attempt does not pass, or len(placeChecks).
func failedCheck(a *attempt) int {
	for i, check := range placeChecks {
		if !check.passes(a) {
			return i
		}
	}
	return len(placeChecks)
}

// isPermitted keeps a tenant from gaining more than its own traffic in somebody else's proxy: Lua has a shell there,
// and the host environment may hold secrets. The Gateway's own namespace and the root namespace always may.
//
// External proxies take plugins from these two alone.
func isPermitted(a *attempt) bool {
	return a.gateway == nil || missingPermission(a.plugin, a.gateway, a.root) == ""
}

// missingPermission is the Gateway's annotation that would have to list the plugin's namespace, or "".
func missingPermission(p *model.Plugin, gateway *gatewayv1.Gateway, root string) string {
	return MissingPermission(p.Namespace, p.Lua != "", readsHostEnv(p), gateway, root)
}

// MissingPermission is the Gateway's annotation that would have to list a namespace before its Lua, or what reads the
// host environment, may run in the Gateway's proxies; "" when nothing is missing. It is asked again for what a proxy falls
// back to: a last good configuration may be of another kind than the one that the rules judged.
func MissingPermission(namespace string, lua, hostEnv bool, gateway *gatewayv1.Gateway, root string) string {
	if namespace == gateway.Namespace || namespace == root {
		return ""
	}
	if lua && !lists(gateway, extv1.AnnotationAllowLuaFrom, namespace) {
		return extv1.AnnotationAllowLuaFrom
	}
	if hostEnv && !lists(gateway, extv1.AnnotationAllowHostEnvFrom, namespace) {
		return extv1.AnnotationAllowHostEnvFrom
	}
	return ""
}

func readsHostEnv(p *model.Plugin) bool {
	return p.Wasm != nil && slices.ContainsFunc(p.Wasm.Env, func(e model.EnvVar) bool { return e.FromHost })
}

func lists(gateway *gatewayv1.Gateway, annotation, namespace string) bool {
	for _, entry := range strings.Split(gateway.Annotations[annotation], ",") {
		if entry = strings.TrimSpace(entry); entry == "*" || entry == namespace {
			return true
		}
	}
	return false
}

func modeMatches(a *attempt) bool {
	return len(a.plugin.Match) == 0 || slices.ContainsFunc(a.plugin.Match, func(m model.TrafficSelector) bool {
		return onSide(m.Mode, a.place.Server())
	})
}

func portMatches(a *attempt) bool {
	return len(a.plugin.Match) == 0 || slices.ContainsFunc(a.plugin.Match, func(m model.TrafficSelector) bool {
		return onSide(m.Mode, a.place.Server()) && (len(m.Ports) == 0 || slices.Contains(m.Ports, a.place.Port))
	})
}

// onSide: an ingress gateway is the client's side of the mesh, a waypoint the server's. A sidecar is both: the client's for
// what goes out, the server's for what comes in.
func onSide(mode model.Mode, server bool) bool {
	switch mode {
	case model.ModeClient:
		return !server
	case model.ModeServer:
		return server
	}
	return true
}

func protocolMatches(a *attempt) bool {
	if a.plugin.Type == model.TypeNetwork {
		return a.place.Network
	}
	return a.place.HTTP
}
