package dataplane

import (
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	corev1 "k8s.io/api/core/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

// Assemble puts the units of one gateway together: sorted, without doubles, and without listeners whose address and port a
// listener with a lesser name has, because Envoy refuses the second one (two ServiceEntries may claim one address). Each
// such listener is named with the reason.
func Assemble(units ...[]Resource) (resources []Resource, clashes []string) {
	all := Sort(slices.Concat(units...))
	owner := map[string]string{}
	for _, r := range all {
		l, ok := r.Message.(*listenerv3.Listener)
		if !ok {
			resources = append(resources, r)
			continue
		}
		places := []string{place(l.Address)}
		for _, a := range l.AdditionalAddresses {
			places = append(places, place(a.Address))
		}
		if i := slices.IndexFunc(places, func(p string) bool { return owner[p] != "" }); i >= 0 {
			clashes = append(clashes, fmt.Sprintf("listener %s: address %s belongs to listener %s", r.Name, places[i], owner[places[i]]))
			continue
		}
		for _, p := range places {
			owner[p] = r.Name
		}
		resources = append(resources, r)
	}
	return resources, clashes
}

func place(a *corev3.Address) string {
	s := a.GetSocketAddress()
	return fmt.Sprintf("%s|%d", s.GetAddress(), s.GetPortValue())
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
