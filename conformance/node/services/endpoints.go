package services

import (
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// endpoints are the HOST:PORT of the endpoints behind a port of a Service that take new connections: the ready ones. One
// that terminates is not ready, also when it still serves.
func endpoints(port corev1.ServicePort, all []*discoveryv1.EndpointSlice) []string {
	var out []string
	for _, s := range all {
		if s.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, p := range s.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != port.Name || p.Name == nil && port.Name != "" {
				continue
			}
			for _, e := range s.Endpoints {
				if ready(e) && len(e.Addresses) > 0 {
					out = append(out, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // two slices may have the same endpoint for a moment
}

// ready reads an absent condition as true, as the API says.
func ready(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }
