package kube

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// Network says where proxies of a cluster listen: at the port of the manifest, on every address of their Pod, and a waypoint
// on its loopback address alone, where ztunnel hands connections over. It reads the objects of the engine's own store.
type Network struct {
	View *store.Store
	// Waypoint tells whether a Gateway is a waypoint.
	Waypoint func(types.NamespacedName) bool
	// WaypointOnPod makes waypoints listen on every address of their Pod too.
	WaypointOnPod bool
}

var _ engine.Network = Network{}

var (
	everywhere = netip.IPv4Unspecified()
	loopback   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// Gateway gives the addresses on which a Gateway's proxies listen: those of its annotation, else the usual ones.
func (n Network) Gateway(name types.NamespacedName) []netip.Addr {
	gw := n.View.Gateway(name)
	if gw == nil {
		return nil
	}
	if list := addresses(strings.Split(gw.Annotations[extv1.AnnotationListenAddresses], ",")); len(list) > 0 {
		return list
	}
	if n.Waypoint(name) && !n.WaypointOnPod {
		return []netip.Addr{loopback}
	}
	return []netip.Addr{everywhere}
}

// Service gives the addresses by which clients reach a Service: its cluster IPs, or those of a ServiceEntry.
func (n Network) Service(key model.ServiceKey) []netip.Addr {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	if key.Kind == string(store.KindServiceEntry) {
		if se := n.View.ServiceEntry(name); se != nil {
			return dataplane.EntryAddresses(se)
		}
		return nil
	}
	if s := n.View.Service(name); s != nil {
		return dataplane.ServiceAddresses(s)
	}
	return nil
}

// Port is the port of the manifest: proxies in a Pod may listen on any.
func (n Network) Port(port int32) uint32 { return uint32(port) }

// Bind is false: what leads to a Service's listener is the PROXY listener.
func (n Network) Bind() bool { return false }

// addresses are those of a list that can be parsed, each once.
func addresses(list []string) []netip.Addr {
	var out []netip.Addr
	for _, text := range list {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err == nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
