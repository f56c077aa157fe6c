package routes

import (
	"cmp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ports makes the routing tables of all ports with a valid listener.
func ports(listeners []Listener, attached [][]attachment, v view) (out []Port) {
	byPort := map[int32][]int{}
	for i := range listeners {
		if listeners[i].Valid {
			byPort[listeners[i].Port] = append(byPort[listeners[i].Port], i)
		}
	}
	for port, members := range byPort {
		p := Port{Port: port, TLS: listeners[members[0]].Protocol == gatewayv1.HTTPSProtocolType}
		slices.SortFunc(members, func(a, b int) int {
			x, y := domain(listeners[a].Hostname), domain(listeners[b].Hostname)
			if moreSpecific(x, y) {
				return -1
			}
			if moreSpecific(y, x) {
				return 1
			}
			return cmp.Compare(x, y)
		})
		if !p.TLS {
			var hosts []VirtualHost
			for _, m := range members {
				hosts = append(hosts, virtualHosts(&listeners[m], attached[m], others(listeners, members, m), false, v)...)
			}
			p.Chains = []Chain{{Hosts: sortHosts(hosts)}}
		} else {
			for _, m := range members {
				l := &listeners[m]
				hosts := virtualHosts(l, attached[m], others(listeners, members, m), true, v)
				p.Chains = append(p.Chains, Chain{Listener: l.Name, Hostname: l.Hostname, Certificates: l.Certificates, Hosts: sortHosts(hosts)})
			}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Port) int { return cmp.Compare(a.Port, b.Port) })
	return out
}

// others gives the domains of the other listeners of the port.
func others(listeners []Listener, members []int, self int) (out []string) {
	for _, m := range members {
		if m != self {
			out = append(out, domain(listeners[m].Hostname))
		}
	}
	return out
}

// virtualHosts gives the virtual hosts of one listener: its own domain (so that a request of it does not fall to a wider
// listener), and each domain of its routes. A domain that a more specific listener owns is left out: a request belongs to
// one listener only (Gateway API, "Listener Isolation"). With TLS, the domains of the other listeners are answered 421.
func virtualHosts(l *Listener, attached []attachment, others []string, tls bool, v view) (out []VirtualHost) {
	own := domain(l.Hostname)
	foreign := func(d string) bool {
		for _, o := range others {
			if covers(o, d) && moreSpecific(o, own) {
				return true
			}
		}
		return false
	}
	type converted struct {
		attachment
		rules []*Rule
	}
	routes := make([]converted, 0, len(attached))
	domains := map[string]bool{own: true}
	for _, a := range attached {
		rules, _ := convertRules(a.route, l.Port, tls, v)
		routes = append(routes, converted{a, rules})
		for _, d := range a.domains {
			domains[d] = true
		}
	}
	for d := range domains {
		if foreign(d) {
			continue
		}
		host := VirtualHost{Domain: d}
		for _, r := range routes {
			through := ""
			for _, own := range r.domains {
				if covers(own, d) && (through == "" || moreSpecific(own, through)) {
					through = own
				}
			}
			if through == "" {
				continue
			}
			for _, rule := range r.rules {
				copied := *rule
				copied.order.domain = through
				host.Rules = append(host.Rules, &copied)
			}
		}
		sortRules(host.Rules)
		out = append(out, host)
	}
	if tls {
		for _, o := range others {
			if !domains[o] || foreign(o) {
				out = append(out, VirtualHost{Domain: o, Misdirected: true})
			}
		}
	}
	return out
}

func sortHosts(hosts []VirtualHost) []VirtualHost {
	slices.SortFunc(hosts, func(a, b VirtualHost) int { return cmp.Compare(a.Domain, b.Domain) })
	return hosts
}
