package routes

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// firstRule compiles a route with one rule and gives the rule, and what its Accepted condition says.
func firstRule(t *testing.T, rule string) (*Rule, string) {
	t.Helper()
	res := compile(world(t, strings.Join([]string{gatewayWith(plain), shop, routeWith("r", parent, "rules: ["+rule+"]")}, "\n---\n")))
	accepted := says(res.Routes[0].Parents[0].Conditions, "Accepted")
	if rules := res.Ports[0].Chains[0].Hosts[0].Rules; len(rules) > 0 {
		return rules[0], accepted
	}
	return nil, accepted
}

func TestValuesThatEnvoyWouldRefuseNeverReachIt(t *testing.T) {
	to := ", backendRefs: [{name: one, port: 80}]}"
	for _, c := range []struct{ name, rule, want string }{
		{"a path without slash", "{matches: [{path: {value: a}}]" + to, `spec.rules[0].matches[0].path.value: path "a" must begin with /`},
		{"a path with a query", `{matches: [{path: {value: "/a?b"}}]` + to, `path "/a?b" must not hold ?, # or a line break`},
		{"a path that no normalised request has", "{matches: [{path: {value: /a/../b}}]" + to, `path "/a/../b" holds //, /./ or /../`},
		{"an escaped slash", "{matches: [{path: {value: /a%2Fb}}]" + to, `path "/a%2Fb" holds %2F`},
		{"an unknown kind of path match", "{matches: [{path: {type: Glob, value: /}}]" + to, `path.type: "Glob" is not supported, use Exact, PathPrefix or RegularExpression`},
		{"a header's name with a blank", "{matches: [{headers: [{name: 'a b', value: c}]}]" + to, `headers[0]: "a b" is not the name of a header`},
		{"a header's expression", "{matches: [{headers: [{name: a, type: RegularExpression, value: '['}]}]" + to, "headers[0]: error parsing regexp"},
		{"an unknown kind of header match", "{matches: [{headers: [{name: a, type: Glob, value: b}]}]" + to, "headers[0]: type is not supported, use Exact or RegularExpression"},
		{"a query parameter's expression", "{matches: [{queryParams: [{name: a, type: RegularExpression, value: '['}]}]" + to, "queryParams[0]: error parsing regexp"},
		{"a method that is none", "{matches: [{method: 'G T'}]" + to, `method: "G T" is not a method`},
		{"a change of Host", "{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: a}]}}]" + to, `filters[0]: header "Host" cannot be changed so, use URLRewrite's hostname`},
		{"a pseudo header", "{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [':path']}}]" + to, `filters[0]: ":path" is not the name of a header`},
		{"a line break in a header", `{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: "b\nc"}]}}]` + to, `"b\nc" holds a line break`},
		{"a status that is no redirect", "{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 200}}]}", "requestRedirect.statusCode: 200 is not supported, use 301, 302, 303, 307 or 308"},
		{"a scheme of its own", "{filters: [{type: RequestRedirect, requestRedirect: {scheme: ftp}}]}", `requestRedirect.scheme: "ftp" is not supported, use http or https`},
		{"a host that is none", "{filters: [{type: URLRewrite, urlRewrite: {hostname: 'a b'}}]" + to, `urlRewrite.hostname: "a b" is not a hostname`},
		{"a prefix replaced without a prefix matched", "{matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]" + to, "path.replacePrefixMatch needs matches of type PathPrefix only"},
		{"redirect and rewrite", "{filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}]}", "filters: RequestRedirect and URLRewrite exclude each other"},
		{"a duration that is none", "{timeouts: {request: 1.5s}" + to, `timeouts.request: "1.5s" is not a duration like 500ms or 1m30s`},
		{"a retry on success", "{retry: {codes: [200]}" + to, "retry.codes: 200 is not a status between 400 and 599"},
		{"session persistence", "{sessionPersistence: {}" + to, "sessionPersistence: not supported, remove it"},
		{"a rewrite on a backend", "{backendRefs: [{name: one, port: 80, filters: [{type: URLRewrite, urlRewrite: {}}]}]}", `backendRefs[0].filters[0]: type "URLRewrite" is not supported on a backend`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule, accepted := firstRule(t, c.rule)
			if !strings.HasPrefix(accepted, "Accepted=False UnsupportedValue: spec.rules[0].") || !strings.Contains(accepted, c.want) {
				t.Errorf("got  %s\nwant %s", accepted, c.want)
			}
			// Either the match could not be told and is left out, or the rule is answered 500, or its one backend is.
			if rule != nil && rule.Status != 500 && !rule.Backends[0].Broken {
				t.Errorf("the rule is served: %+v", rule)
			}
		})
	}
}

func TestARuleIsConvertedWhole(t *testing.T) {
	rule, accepted := firstRule(t, `{
		matches: [{path: {value: /a/}, method: GET, headers: [{name: X, value: "1"}, {name: x, value: "2"}], queryParams: [{name: q, value: "1"}]}],
		timeouts: {request: 1m30s, backendRequest: 0s}, retry: {attempts: 2, codes: [503], backoff: 10ms},
		backendRefs: [{name: one, port: 80, weight: 3}, {name: one, port: 80, weight: 0}]}`)
	if !strings.HasPrefix(accepted, "Accepted=True") {
		t.Fatal(accepted)
	}
	if m := rule.Match; m.Path != "/a" || m.Method != http.MethodGet || len(m.Headers) != 1 || m.Headers[0].Name != "x" || m.Headers[0].Value != "1" || len(m.Query) != 1 {
		t.Errorf("got %+v", m)
	}
	if *rule.Timeout != 90*time.Second || *rule.BackendTimeout != 0 || rule.Retry.Attempts != 2 || rule.Retry.Backoff != 10*time.Millisecond {
		t.Errorf("got %+v", rule)
	}
	if len(rule.Backends) != 1 || rule.Backends[0].Weight != 3 {
		t.Errorf("a backend of weight 0 gets nothing, got %+v", rule.Backends)
	}
}

func TestARedirectsPortIsGatewayAPIs(t *testing.T) {
	for _, c := range []struct {
		name, filter string
		port         int32
		wellKnown    bool
	}{
		{"nothing said keeps the request's own", "{}", 0, false},
		{"another host takes the listener's port", "{hostname: a.test}", 80, true},
		{"a scheme takes its own port", "{scheme: https}", 443, true},
		{"a port is a port", "{scheme: https, port: 8443}", 8443, false},
		{"a port that is usual for another scheme is written", "{port: 443}", 443, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule, _ := firstRule(t, "{filters: [{type: RequestRedirect, requestRedirect: "+c.filter+"}]}")
			if rule.Redirect == nil || rule.Redirect.Port != c.port || rule.Redirect.WellKnown != c.wellKnown || rule.Redirect.Code != 302 {
				t.Errorf("got %+v", rule.Redirect)
			}
		})
	}
}
