// Package names forms the names of all xDS resources that wasmpoint serves, and reads slot names back.
//
// Every name begins with a version. A name is a path of escaped segments, so two different things never share a name,
// whatever their own names hold. The names are a contract with running proxies: a changed form is a new version.
package names

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Prefix begins every name. Its last segment is the version of the forms below.
const Prefix = "wasmpoint/v1"

// Static resources, which stand in a proxy's bootstrap.
const (
	// XDSCluster is the controller's xDS server.
	XDSCluster = "wasmpoint-xds"
	// ModulesCluster is the controller's module server.
	ModulesCluster = "wasmpoint-modules"
	// AdminCluster is the proxy's own admin endpoint, for the listener that tells whether it is ready.
	AdminCluster = "wasmpoint-admin"
	// ReadyListener is that listener.
	ReadyListener = "wasmpoint-ready"
)

// Nowhere is a cluster that never exists. A request that is routed to it is answered 500 (the share of a weighted backend
// that is missing or not permitted), a connection is closed.
const Nowhere = Prefix + "/nowhere"

func join(parts ...string) string {
	var b strings.Builder
	b.WriteString(Prefix)
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

func number(n int32) string { return strconv.Itoa(int(n)) }

// place is the segments that identify a scope.
func place(s model.Scope) []string {
	if s.Side != "" {
		return []string{string(s.Side), number(s.Port)}
	}
	if s.Service.IsZero() {
		return []string{s.Gateway.Namespace, s.Gateway.Name, number(s.Port)}
	}
	return []string{
		s.Gateway.Namespace, s.Gateway.Name,
		s.Service.Kind, s.Service.Namespace, s.Service.Name, number(s.Port),
	}
}

// Listener is the listener of a scope: a port of an ingress gateway, or a Service's port at a waypoint.
func Listener(s model.Scope) string { return join(append([]string{"listener"}, place(s)...)...) }

// IsServiceListener tells whether a listener is that of a Service's port at a waypoint, and not its gateway's own.
func IsServiceListener(name string) bool {
	rest, is := strings.CutPrefix(name, Prefix+"/listener/")
	return is && strings.Count(rest, "/") > len(place(model.Scope{}))-1
}

// ProxyListener is the listener of a waypoint that takes connections with the PROXY protocol from ztunnel.
func ProxyListener(gw types.NamespacedName) string { return join("proxy", gw.Namespace, gw.Name) }

// PrefetchListener is the listener that nobody reaches and that carries the prefetch slots of a proxy.
func PrefetchListener(gw types.NamespacedName) string { return join("fetcher", gw.Namespace, gw.Name) }

// Routes is the route configuration of an ingress port; listener is the Gateway listener's name for an HTTPS chain and
// "" for plain HTTP, where all listeners of the port share one configuration.
func Routes(gw types.NamespacedName, port int32, listener string) string {
	return join("routes", gw.Namespace, gw.Name, number(port), listener)
}

// Cluster is the upstream cluster (and the EDS resource) of a Service's or ServiceEntry's port. protocol keeps clusters
// apart that differ in nothing but the protocol spoken to the endpoints.
func Cluster(s model.ServiceKey, port int32, protocol string) string {
	return join("cluster", s.Kind, s.Namespace, s.Name, number(port), protocol)
}

// AddressPrefix and an address and port are the name of the cluster that leads to the listener of that address.
const AddressPrefix = Prefix + "/address/"

// Address is that cluster for an address: the text after the prefix is the one that Envoy has for the address.
func Address(a netip.AddrPort) string { return AddressPrefix + a.String() }

// Secret is the SDS resource of a TLS Secret.
func Secret(s types.NamespacedName) string { return join("secret", s.Namespace, s.Name) }
