package standalone

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/addresses"
	"github.com/wasmpoint/wasmpoint/controllers/files"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// network is where proxies listen, for one set of files (engine.Network).
type network struct {
	allocation addresses.Allocation
	offset     int32
}

// Gateway gives a Gateway's loopback addresses.
func (n network) Gateway(gw types.NamespacedName) []netip.Addr {
	return n.allocation.Addresses[addresses.Key{Kind: string(store.KindGateway), Namespace: gw.Namespace, Name: gw.Name}]
}

// Service gives a Service's loopback addresses.
func (n network) Service(s model.ServiceKey) []netip.Addr {
	return n.allocation.Addresses[addresses.Key(s)]
}

// Port shifts privileged ports where they cannot be bound.
func (n network) Port(port int32) uint32 { return uint32(addresses.ShiftPort(port, n.offset)) }

// Bind is always true: plain clients reach a Service through its waypoint at the Service's own address.
func (n network) Bind() bool { return true }

// allocate gives every Gateway, Service and ServiceEntry of the files its addresses. moved are the objects that got
// others than before.
func (n network) allocate(block netip.Prefix, o *files.Objects) (next network, moved []store.Ref, err error) {
	var requests []addresses.Request
	add := func(kind store.Kind, namespace, name string, explicit []string, ports []int32) {
		requests = append(requests, addresses.Request{
			Key: addresses.Key{Kind: string(kind), Namespace: namespace, Name: name}, Explicit: explicit, Ports: ports,
		})
	}
	for _, gw := range o.Gateways {
		var explicit []string
		for _, a := range gw.Spec.Addresses {
			explicit = append(explicit, a.Value)
		}
		ports := []int32{dataplane.ProxyPort}
		for _, l := range gw.Spec.Listeners {
			ports = append(ports, l.Port)
		}
		add(store.KindGateway, gw.Namespace, gw.Name, explicit, ports)
	}
	for _, s := range o.Services {
		var ports []int32
		for _, p := range s.Spec.Ports {
			ports = append(ports, p.Port)
		}
		add(store.KindService, s.Namespace, s.Name, append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...), ports)
	}
	for _, s := range o.ServiceEntries {
		add(store.KindServiceEntry, s.Namespace, s.Name, s.Spec.Addresses, nil)
	}
	allocation, err := addresses.Allocate(block, requests, n.allocation.Addresses)
	if err != nil {
		return n, nil, err
	}
	for key, list := range n.allocation.Addresses {
		if now, still := allocation.Addresses[key]; still && !slices.Equal(now, list) {
			moved = append(moved, store.Ref{Kind: store.Kind(key.Kind), NamespacedName: types.NamespacedName{Namespace: key.Namespace, Name: key.Name}})
		}
	}
	return network{allocation: allocation, offset: n.offset}, moved, nil
}
