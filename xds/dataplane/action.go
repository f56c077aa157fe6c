package dataplane

import (
	"regexp"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// safeRetries are the failures after which nobody has seen the request yet, so that trying again can do no harm.
const safeRetries = "connect-failure,refused-stream,reset-before-request"

func route(domain string, r *routes.Rule, u *upstreams) *routev3.Route {
	out := &routev3.Route{Name: r.Name, Match: match(&r.Match)}
	switch {
	case r.Status != 0:
		out.Action = direct(r.Status)
		return out
	case r.Redirect != nil:
		out.Action = &routev3.Route_Redirect{Redirect: redirect(domain, r)}
	default:
		action, web := forward(r, u)
		if action == nil {
			out.Action = direct(500)
			return out
		}
		out.Action = &routev3.Route_Route{Route: action}
		if web {
			out.TypedPerFilterConfig = map[string]*anypb.Any{
				grpcWebName: wrap(&routev3.FilterConfig{Config: &anypb.Any{}}),
			}
		}
	}
	out.RequestHeadersToAdd, out.RequestHeadersToRemove = headers(r.Request)
	out.ResponseHeadersToAdd, out.ResponseHeadersToRemove = headers(r.Response)
	return out
}

// forward is nil if no backend is left. web tells that a backend speaks gRPC-Web.
func forward(r *routes.Rule, u *upstreams) (action *routev3.RouteAction, web bool) {
	action = &routev3.RouteAction{
		Timeout:                     durationpb.New(0), // Envoy's 15 s would end long answers
		RetryPolicy:                 retries(r),
		ClusterNotFoundResponseCode: routev3.RouteAction_INTERNAL_SERVER_ERROR,
	}
	if r.Timeout != nil {
		action.Timeout = durationpb.New(*r.Timeout)
	}
	var weighted []*routev3.WeightedCluster_ClusterWeight
	whole := 0
	for i := range r.Backends {
		b := &r.Backends[i]
		w := &routev3.WeightedCluster_ClusterWeight{Name: names.Nowhere, Weight: wrapperspb.UInt32(b.Weight)}
		if d := u.find(b); d != nil {
			w.Name = d.Name()
			web = web || d.Protocol == GRPCWeb
			whole++
		}
		w.RequestHeadersToAdd, w.RequestHeadersToRemove = headers(b.Request)
		w.ResponseHeadersToAdd, w.ResponseHeadersToRemove = headers(b.Response)
		weighted = append(weighted, w)
	}
	if whole == 0 {
		return nil, false
	}
	action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: &routev3.WeightedCluster{Clusters: weighted}}
	if rw := r.Rewrite; rw != nil {
		if rw.Hostname != "" {
			action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: rw.Hostname}
		}
		action.RegexRewrite = rewrite(rw.Path, &r.Match)
	}
	return action, web
}

func retries(r *routes.Rule) *routev3.RetryPolicy {
	p := basicRetries()
	if r.BackendTimeout != nil {
		p.PerTryTimeout = durationpb.New(*r.BackendTimeout)
	}
	if r.Retry == nil {
		return p
	}
	p.RetryOn = safeRetries + ",reset"
	p.NumRetries = wrapperspb.UInt32(r.Retry.Attempts)
	if len(r.Retry.Codes) > 0 {
		p.RetryOn += ",retriable-status-codes"
		p.RetriableStatusCodes = r.Retry.Codes
	}
	if r.Retry.Backoff >= time.Millisecond {
		p.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{BaseInterval: durationpb.New(r.Retry.Backoff)}
	}
	return p
}

// basicRetries tries twice more, elsewhere, if nobody has seen the request.
func basicRetries() *routev3.RetryPolicy {
	return &routev3.RetryPolicy{
		RetryOn: safeRetries, NumRetries: wrapperspb.UInt32(2), HostSelectionRetryMaxAttempts: 3,
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name:       "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: wrap(&previoushostsv3.PreviousHostsPredicate{})},
		}},
	}
}

func redirect(domain string, r *routes.Rule) *routev3.RedirectAction {
	in := r.Redirect
	out := &routev3.RedirectAction{HostRedirect: in.Hostname, PortRedirect: uint32(in.Port)}
	if in.WellKnown {
		// Envoy writes every port that it is given. It drops the request's own only together with the host.
		if out.HostRedirect == "" && !strings.HasPrefix(domain, "*") {
			out.HostRedirect = domain
		}
		if out.HostRedirect != "" {
			out.PortRedirect = 0
		}
	}
	if in.Scheme != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: in.Scheme}
	}
	if re := rewrite(in.Path, &r.Match); re != nil {
		out.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: re}
	}
	switch in.Code {
	case 301:
		out.ResponseCode = routev3.RedirectAction_MOVED_PERMANENTLY
	case 303:
		out.ResponseCode = routev3.RedirectAction_SEE_OTHER
	case 307:
		out.ResponseCode = routev3.RedirectAction_TEMPORARY_REDIRECT
	case 308:
		out.ResponseCode = routev3.RedirectAction_PERMANENT_REDIRECT
	default:
		out.ResponseCode = routev3.RedirectAction_FOUND
	}
	return out
}

// rewrite is a change of the path as an expression, because Envoy's prefix rewrite knows no path segments: it would turn
// /foo/bar into //bar when /foo becomes / (the cases are those of HTTPPathModifier's table).
func rewrite(c *routes.PathChange, m *routes.Match) *matcherv3.RegexMatchAndSubstitute {
	if c == nil {
		return nil
	}
	pattern, value := "^/.*$", c.Value
	if c.Prefix {
		prefix := strings.TrimSuffix(m.Path, "/")
		pattern = "^" + regexp.QuoteMeta(prefix)
		if prefix == "" || value == "" {
			pattern += "/*"
			value += "/"
		}
	}
	return &matcherv3.RegexMatchAndSubstitute{Pattern: regex(pattern), Substitution: strings.ReplaceAll(value, `\`, `\\`)}
}

// headers gives header changes in Envoy's form; % begins a command there and is doubled.
func headers(h routes.Headers) (add []*corev3.HeaderValueOption, remove []string) {
	option := func(e routes.Header, action corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: e.Name, Value: strings.ReplaceAll(e.Value, "%", "%%")},
			AppendAction: action, KeepEmptyValue: true,
		}
	}
	for _, e := range h.Set {
		add = append(add, option(e, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	}
	for _, e := range h.Add {
		add = append(add, option(e, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
	}
	return add, h.Remove
}
