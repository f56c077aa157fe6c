package dataplane

import (
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	corev1 "k8s.io/api/core/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

func socket(address string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

// listenOn sets the listener's addresses: the first is its main one, the others are additional. At least one is needed.
func listenOn(l *listenerv3.Listener, addresses []netip.Addr, port uint32) {
	l.Address = socket(addresses[0].String(), port)
	for _, a := range addresses[1:] {
		l.AdditionalAddresses = append(l.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: socket(a.String(), port)})
	}
}

// ServiceAddresses gives the cluster IPs of a Service, none for a headless one.
func ServiceAddresses(svc *corev1.Service) (out []netip.Addr) {
	list := svc.Spec.ClusterIPs
	if len(list) == 0 {
		list = []string{svc.Spec.ClusterIP}
	}
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// EntryAddresses gives the single addresses of a ServiceEntry; a range of more than one address is left out, because a
// waypoint has a listener for every address.
func EntryAddresses(se *networkingv1.ServiceEntry) (out []netip.Addr) {
	for _, s := range se.Spec.Addresses {
		a, err := netip.ParseAddr(s)
		if err != nil {
			p, err := netip.ParsePrefix(s)
			if err != nil || !p.IsSingleIP() {
				continue
			}
			a = p.Addr()
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
