package standalone

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

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
	// ports are where ports of the manifests are.
	ports map[int32]int32
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
func (n network) Port(port int32) uint32 {
	if shifted, ok := n.ports[port]; ok {
		return uint32(shifted)
	}
	return uint32(addresses.ShiftPort(port, n.offset))
}

// Bind is always true: plain clients reach a Service through its waypoint at the Service's own address.
func (n network) Bind() bool { return true }

// allocate gives every Gateway, Service and ServiceEntry of the files its addresses. moved are the objects that got other
// addresses or ports than before.
func (n network) allocate(block netip.Prefix, o *files.Objects) (next network, moved []store.Ref, err error) {
	var requests []addresses.Request
	ports := map[addresses.Key][]int32{} // what each object listens on
	add := func(kind store.Kind, namespace, name string, explicit []string, list []int32) {
		key := addresses.Key{Kind: string(kind), Namespace: namespace, Name: name}
		requests = append(requests, addresses.Request{Key: key, Explicit: explicit, Ports: list})
		ports[key] = list
	}
	for _, gw := range o.Gateways {
		var explicit []string
		for _, a := range gw.Spec.Addresses {
			explicit = append(explicit, a.Value)
		}
		list := []int32{dataplane.ProxyPort, adminPort}
		for _, l := range gw.Spec.Listeners {
			list = append(list, l.Port)
		}
		add(store.KindGateway, gw.Namespace, gw.Name, explicit, list)
	}
	for _, s := range o.Services {
		var list []int32
		for _, p := range s.Spec.Ports {
			list = append(list, p.Port)
		}
		add(store.KindService, s.Namespace, s.Name, append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...), list)
	}
	for _, s := range o.ServiceEntries {
		add(store.KindServiceEntry, s.Namespace, s.Name, s.Spec.Addresses, nil)
		for _, p := range s.Spec.Ports {
			key := addresses.Key{Kind: string(store.KindServiceEntry), Namespace: s.Namespace, Name: s.Name}
			ports[key] = append(ports[key], int32(p.Number))
		}
	}
	allocation, err := addresses.Allocate(block, requests, n.allocation.Addresses)
	if err != nil {
		return n, nil, err
	}
	next = network{allocation: allocation, offset: n.offset, ports: shift(allocation, ports, n.offset)}
	for key, list := range n.allocation.Addresses {
		now, still := allocation.Addresses[key]
		elsewhere := slices.ContainsFunc(ports[key], func(p int32) bool { return n.Port(p) != next.Port(p) })
		if still && (elsewhere || !slices.Equal(now, list)) {
			moved = append(moved, store.Ref{Kind: store.Kind(key.Kind), NamespacedName: types.NamespacedName{Namespace: key.Namespace, Name: key.Name}})
		}
	}
	slices.SortFunc(moved, func(a, b store.Ref) int { return strings.Compare(a.String(), b.String()) })
	return next, moved, nil
}

// shift finds a place for every port, such that no two of one address meet.
func shift(allocation addresses.Allocation, ports map[addresses.Key][]int32, offset int32) map[int32]int32 {
	byAddress := map[netip.Addr][]int32{}
	for key, list := range allocation.Addresses {
		for _, a := range list {
			byAddress[a] = append(byAddress[a], ports[key]...)
		}
	}
	return addresses.ShiftPorts(slices.Collect(maps.Values(byAddress)), offset)
}
