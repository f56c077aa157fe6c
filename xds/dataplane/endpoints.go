package dataplane

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// ServiceDestination is a Service's port with the endpoints of its EndpointSlices: those that are ready and, if none is,
// those that still serve while they terminate, so that a rolling update of a single replica loses no request. A port that
// the Service does not have gives a destination without endpoints.
func ServiceDestination(svc *corev1.Service, list []*discoveryv1.EndpointSlice, port int32, p Protocol) Destination {
	d := Destination{
		Service: model.ServiceKey{Kind: "Service", Namespace: svc.Namespace, Name: svc.Name}, Port: port, Protocol: p,
	}
	name, found := portName(svc, port)
	if !found {
		return d
	}
	var ready, leaving []Endpoint
	for _, s := range list {
		number := targetPort(s, name)
		if number == 0 || s.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for _, e := range s.Endpoints {
			var into *[]Endpoint
			switch c := e.Conditions; {
			case c.Ready == nil || *c.Ready: // an absent condition counts as ready (EndpointConditions)
				into = &ready
			case c.Serving != nil && *c.Serving && c.Terminating != nil && *c.Terminating:
				into = &leaving
			default:
				continue
			}
			for _, a := range e.Addresses {
				if addr, err := netip.ParseAddr(a); err == nil {
					*into = append(*into, Endpoint{Address: addr.String(), Port: number})
				}
			}
		}
	}
	if len(ready) == 0 {
		ready = leaving
	}
	d.Endpoints = sortEndpoints(ready)
	return d
}

func portName(svc *corev1.Service, port int32) (name string, found bool) {
	for _, p := range svc.Spec.Ports {
		if p.Port == port && p.Protocol != corev1.ProtocolUDP && p.Protocol != corev1.ProtocolSCTP {
			return p.Name, true
		}
	}
	return "", false
}

// targetPort is the number of the slice's TCP port that bears the name of the Service's port, 0 if there is none. The
// endpoints controller has resolved named target ports already, one slice for each outcome.
func targetPort(s *discoveryv1.EndpointSlice, name string) uint32 {
	for _, p := range s.Ports {
		same := p.Name == nil && name == "" || p.Name != nil && *p.Name == name
		if p.Port != nil && same && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) {
			return uint32(*p.Port)
		}
	}
	return 0
}

// EntryDestination is a ServiceEntry's port. Endpoints that are chosen by workloadSelector are not known here: such a
// destination has none.
func EntryDestination(se *networkingv1.ServiceEntry, port int32, p Protocol) Destination {
	d := Destination{
		Service: model.ServiceKey{Kind: networkingv1.KindServiceEntry, Namespace: se.Namespace, Name: se.Name}, Port: port, Protocol: p,
	}
	var spec *networkingv1.ServicePort
	for i := range se.Spec.Ports {
		if int32(se.Spec.Ports[i].Number) == port {
			spec = &se.Spec.Ports[i]
			break
		}
	}
	if spec == nil {
		return d
	}
	target := spec.TargetPort
	if target == 0 {
		target = spec.Number
	}
	switch se.Spec.Resolution {
	case networkingv1.ResolutionStatic:
		d.Resolution = ByEndpoints
	case networkingv1.ResolutionDNS:
		d.Resolution = ByDNS
	case networkingv1.ResolutionDNSRoundRobin:
		d.Resolution = ByFirstDNS
	default:
		d.Resolution = ByOriginal
		return d
	}
	for _, e := range se.Spec.Endpoints {
		number := e.Ports[spec.Name]
		if number == 0 {
			number = target
		}
		d.Endpoints = appendEntry(d.Endpoints, d.Resolution, e.Address, number, e.Weight)
	}
	if len(se.Spec.Endpoints) == 0 && se.Spec.WorkloadSelector == nil && d.Resolution != ByEndpoints {
		for _, h := range se.Spec.Hosts {
			d.Endpoints = appendEntry(d.Endpoints, d.Resolution, h, target, 0)
		}
	}
	d.Endpoints = sortEndpoints(d.Endpoints)
	return d
}

func appendEntry(list []Endpoint, r Resolution, address string, port, weight uint32) []Endpoint {
	if addr, err := netip.ParseAddr(address); err == nil {
		address = addr.String()
	} else if r == ByEndpoints || address == "" || strings.ContainsAny(address, "*/: ") {
		return list // a name where an address is needed, a wildcard, or a Unix socket of another machine
	}
	return append(list, Endpoint{Address: address, Port: port, Weight: weight})
}

func sortEndpoints(list []Endpoint) []Endpoint {
	slices.SortFunc(list, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), -cmp.Compare(a.Weight, b.Weight))
	})
	return slices.CompactFunc(list, func(a, b Endpoint) bool { return a.Address == b.Address && a.Port == b.Port })
}
