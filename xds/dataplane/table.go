package dataplane

import (
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
)

func number(n int32) string { return strconv.Itoa(int(n)) }

type portOf struct {
	service types.NamespacedName
	port    int32
}

// upstreams remembers the destinations that a table uses.
type upstreams struct {
	backends Backends
	known    map[portOf]*Destination
}

// ForRoutes is a destination as the backend of a route, nil for nil: a route is HTTP, so a port that declares nothing is,
// too.
func (d *Destination) ForRoutes() *Destination {
	if d == nil || d.Protocol.IsHTTP() {
		return d
	}
	copied := *d
	copied.Protocol = HTTP
	return &copied
}

// find gives a backend's destination, nil if it is broken.
func (u *upstreams) find(b *routes.Backend) *Destination {
	if b.Broken {
		return nil
	}
	key := portOf{b.Service, b.Port}
	d, ok := u.known[key]
	if !ok {
		d = u.backends.Destination(b.Service, b.Port).ForRoutes()
		u.known[key] = d
	}
	return d
}

func routeConfig(name string, c *routes.Chain, u *upstreams) Resource {
	config := &routev3.RouteConfiguration{
		Name: name,
		// Hosts are compared without their port: the client's port may be another than the Gateway's.
		IgnorePortInHostMatching: true,
		// Clusters come and go by themselves.
		ValidateClusters: wrapperspb.Bool(false),
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		host := &routev3.VirtualHost{Name: h.Domain, Domains: []string{h.Domain}}
		if h.Misdirected {
			host.Routes = []*routev3.Route{{
				Name: "misdirected", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: direct(421),
			}}
		}
		for _, r := range h.Rules {
			host.Routes = append(host.Routes, route(h.Domain, r, u))
		}
		config.VirtualHosts = append(config.VirtualHosts, host)
	}
	return Resource{TypeURL: TypeRoute, Name: name, Message: config}
}

func direct(status int) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: uint32(status)}}
}

func match(m *routes.Match) *routev3.RouteMatch {
	out := &routev3.RouteMatch{}
	switch {
	case m.PathKind == routes.PathExact:
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Path}
	case m.PathKind == routes.PathRegex:
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regex(m.Path)}
	case m.Path == "/":
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
	default:
		out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: m.Path}
	}
	if m.Method != "" {
		out.Headers = append(out.Headers, header(routes.ValueMatch{Name: ":method", Value: m.Method}))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, header(h))
	}
	for _, q := range m.Query {
		out.QueryParameters = append(out.QueryParameters, &routev3.QueryParameterMatcher{
			Name: q.Name, QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: value(q)},
		})
	}
	return out
}

func header(v routes.ValueMatch) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: v.Name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value(v)}}
}

func value(v routes.ValueMatch) *matcherv3.StringMatcher {
	if v.Regex {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(v.Value)}}
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: v.Value}}
}

func regex(expr string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: expr} }
