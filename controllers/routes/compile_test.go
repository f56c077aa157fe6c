package routes

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestParentsSayWhetherARouteIsAttached(t *testing.T) {
	backend := "rules: [{backendRefs: [{name: one, port: 80}]}]"
	for _, c := range []struct {
		name, listener, route, more string
		condition, want             string
		attached                    int32
	}{
		{
			name: "a route of the Gateway's namespace is attached", listener: plain, route: routeWith("r", parent, backend),
			condition: "Accepted", want: "Accepted=True Accepted: the route is attached", attached: 1,
		},
		{
			name: "a sectionName that no listener has", listener: plain, route: routeWith("r", "parentRefs: [{name: edge, sectionName: x}]", backend),
			condition: "Accepted", want: "Accepted=False NoMatchingParent: the Gateway has no listener with the sectionName and port of the parentRef",
		},
		{
			name: "a port that no listener has", listener: plain, route: routeWith("r", "parentRefs: [{name: edge, port: 81}]", backend),
			condition: "Accepted", want: "Accepted=False NoMatchingParent: the Gateway has no listener with the sectionName and port of the parentRef",
		},
		{
			name: "a namespace that the listener does not admit", listener: "{name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}", route: routeWith("r", parent, backend),
			condition: "Accepted", want: `Accepted=False NotAllowedByListeners: allowedRoutes of listener "all" admits no HTTPRoutes of namespace shop`,
		},
		{
			name: "a namespace that the listener's selector admits", listener: "{name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}",
			more: "kind: Namespace\nmetadata: {name: shop, labels: {team: a}}", route: routeWith("r", parent, backend),
			condition: "Accepted", want: "Accepted=True Accepted: the route is attached", attached: 1,
		},
		{
			name: "a namespace that the listener's selector leaves out", listener: "{name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}",
			more: "kind: Namespace\nmetadata: {name: shop, labels: {team: b}}", route: routeWith("r", parent, backend),
			condition: "Accepted", want: `Accepted=False NotAllowedByListeners: allowedRoutes of listener "all" admits no HTTPRoutes of namespace shop`,
		},
		{
			name: "a kind that the listener does not admit", listener: "{name: all, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}", route: routeWith("r", parent, backend),
			condition: "Accepted", want: `Accepted=False NotAllowedByListeners: allowedRoutes of listener "all" admits no HTTPRoutes of namespace shop`,
		},
		{
			name: "no common hostname", listener: "{name: all, port: 80, protocol: HTTP, hostname: '*.a.test'}", route: routeWith("r", parent, "hostnames: [a.test, b.test]", backend),
			condition: "Accepted", want: `Accepted=False NoMatchingListenerHostname: none of the hostnames (a.test, b.test) fits hostname "*.a.test" of listener "all"`,
		},
		{
			name: "a filter that is not supported", listener: plain, route: routeWith("r", parent, "rules: [{filters: [{type: CORS, cors: {}}], backendRefs: [{name: one, port: 80}]}]"),
			condition: "Accepted", want: `Accepted=False UnsupportedValue: spec.rules[0].filters[0]: type "CORS" is not supported, use RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect or URLRewrite`,
		},
		{
			name: "an extension that nobody knows", listener: plain, route: routeWith("r", parent, "rules: [{filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: Thing, name: z}}]}]"),
			condition: "Accepted", want: `Accepted=False UnsupportedValue: spec.rules[0].filters[0]: ExtensionRef to x.io/Thing "z" is not known`,
		},
		{
			name: "an expression that is none", listener: plain, route: routeWith("r", parent, "rules: [{matches: [{path: {type: RegularExpression, value: '('}}]}]"),
			condition: "Accepted", want: "Accepted=False UnsupportedValue: spec.rules[0].matches[0].path.value: error parsing regexp: missing closing ): `(`",
		},
		{
			name: "an expression that is too large", listener: plain, route: routeWith("r", parent, `rules: [{matches: [{path: {type: RegularExpression, value: '\pL{900}'}}]}]`),
			condition: "Accepted", want: "Accepted=False UnsupportedValue: spec.rules[0].matches[0].path.value: the expression is too large",
		},
		{
			name: "a Service that does not exist", listener: plain, route: routeWith("r", parent, "rules: [{backendRefs: [{name: none, port: 80}]}]"), attached: 1,
			condition: "ResolvedRefs", want: "ResolvedRefs=False BackendNotFound: spec.rules[0].backendRefs[0]: Service shop/none does not exist",
		},
		{
			name: "a port that the Service does not have", listener: plain, route: routeWith("r", parent, "rules: [{backendRefs: [{name: one, port: 53}]}]"), attached: 1,
			condition: "ResolvedRefs", want: "ResolvedRefs=False BackendNotFound: spec.rules[0].backendRefs[0]: Service shop/one has no TCP port 53",
		},
		{
			name: "a backend kind that is not supported", listener: plain, route: routeWith("r", parent, "rules: [{backendRefs: [{group: x.io, kind: Thing, name: one, port: 80}]}]"), attached: 1,
			condition: "ResolvedRefs", want: `ResolvedRefs=False InvalidKind: spec.rules[0].backendRefs[0]: kind "Thing" of group "x.io" is not supported, use Service`,
		},
		{
			name: "a Service of another namespace without a grant", listener: plain, route: routeWith("r", parent, "rules: [{backendRefs: [{name: one, namespace: bank, port: 80}]}]"), attached: 1,
			condition: "ResolvedRefs", want: "ResolvedRefs=False RefNotPermitted: spec.rules[0].backendRefs[0]: no ReferenceGrant in namespace bank lets HTTPRoutes of namespace shop use Service one",
		},
		{
			name: "a Service of another namespace with a grant", listener: plain, route: routeWith("r", parent, "rules: [{backendRefs: [{name: one, namespace: bank, port: 80}]}]"), attached: 1,
			more:      strings.ReplaceAll(shop, "shop", "bank") + "\n---\nkind: ReferenceGrant\nmetadata: {name: g, namespace: bank}\nspec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service}]}",
			condition: "ResolvedRefs", want: "ResolvedRefs=True ResolvedRefs: all references resolve",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			manifests := []string{gatewayWith(c.listener), shop, c.route}
			if c.more != "" {
				manifests = append(manifests, c.more)
			}
			res := compile(world(t, strings.Join(manifests, "\n---\n")))
			p := res.Routes[0].Parents[0]
			if got := says(p.Conditions, c.condition); !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := res.Listeners[0].AttachedRoutes; got != c.attached {
				t.Errorf("%d routes attached, want %d", got, c.attached)
			}
		})
	}
}

// table gives the first chain as "domain: rule rule …" per line.
func table(hosts []VirtualHost) (out []string) {
	for _, h := range hosts {
		line := h.Domain + ":"
		if h.Misdirected {
			line += " misdirected"
		}
		for _, r := range h.Rules {
			line += " " + strings.TrimPrefix(r.Name, "shop/")
		}
		out = append(out, line)
	}
	return out
}

func TestRulesAreTriedInGatewayAPIsOrder(t *testing.T) {
	dated := func(name, date, spec string) string {
		return "kind: HTTPRoute\nmetadata: {name: " + name + ", namespace: shop, creationTimestamp: '" + date + "T00:00:00Z'}\nspec:\n  " + parent + "\n  " + spec
	}
	matches := func(list ...string) string {
		var rules []string
		for _, m := range list {
			rules = append(rules, "{matches: ["+m+"]}")
		}
		return "rules: [" + strings.Join(rules, ", ") + "]"
	}
	for _, c := range []struct {
		name   string
		routes []string
		want   string
	}{
		{
			"exact, expression, longer prefix, shorter prefix",
			[]string{dated("r", "2024-01-01", matches("{path: {value: /}}", "{path: {value: /aa}}", "{path: {type: RegularExpression, value: /.*}}", "{path: {type: Exact, value: /a}}"))},
			"*: r/3/0 r/2/0 r/1/0 r/0/0",
		},
		{
			"a method, then more headers, then more query parameters",
			[]string{dated("r", "2024-01-01", matches("{}", "{queryParams: [{name: a, value: b}]}", "{headers: [{name: a, value: b}]}", "{headers: [{name: a, value: b}, {name: c, value: d}]}", "{method: GET}"))},
			"*: r/4/0 r/3/0 r/2/0 r/1/0 r/0/0",
		},
		{
			"the older route, then the name, then the place in the route",
			[]string{dated("b", "2024-01-01", matches("{}, {}", "{}")), dated("a", "2024-01-02", matches("{}")), dated("c", "2024-01-01", matches("{}"))},
			"*: b/0/0 b/0/1 b/1/0 c/0/0 a/0/0",
		},
		{
			"the more specific hostname, whatever the path",
			[]string{dated("any", "2024-01-01", matches("{path: {type: Exact, value: /x}}")), dated("host", "2024-01-01", "hostnames: [a.test, '*.test']\n  "+matches("{}"))},
			"*: any/0/0; *.test: host/0/0 any/0/0; a.test: host/0/0 any/0/0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := compile(world(t, strings.Join(append(c.routes, gatewayWith(plain), shop), "\n---\n")))
			if got := strings.Join(table(res.Ports[0].Chains[0].Hosts), "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestARequestBelongsToOneListener(t *testing.T) {
	s := world(t, strings.Join([]string{
		gatewayWith(plain, "{name: wild, port: 80, protocol: HTTP, hostname: '*.test'}", "{name: exact, port: 80, protocol: HTTP, hostname: a.test}"),
		shop,
		routeWith("open", "parentRefs: [{name: edge, sectionName: all}]", "hostnames: [a.test, b.test, c.example]", "rules: [{}]"),
		routeWith("wild", "parentRefs: [{name: edge, sectionName: wild}]", "hostnames: [b.test]", "rules: [{}]"),
	}, "\n---\n"))
	got := table(compile(s).Ports[0].Chains[0].Hosts)
	want := []string{"*:", "*.test:", "a.test:", "b.test: wild/0/0", "c.example: open/0/0"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestARuleThatCannotBeServedIsAnswered500AndItsNeighboursAreServed(t *testing.T) {
	s := world(t, strings.Join([]string{gatewayWith(plain), shop, routeWith("r", parent, `rules:
  - {matches: [{path: {type: Exact, value: /bad}}], filters: [{type: RequestMirror}], backendRefs: [{name: one, port: 80}]}
  - {matches: [{path: {value: /good}}], backendRefs: [{name: one, port: 80}]}`)}, "\n---\n"))
	rules := compile(s).Ports[0].Chains[0].Hosts[0].Rules
	if len(rules) != 2 || rules[0].Status != 500 || rules[1].Status != 0 || len(rules[1].Backends) != 1 {
		t.Errorf("got %+v", rules)
	}
}

func TestTheResultDoesNotDependOnTheOrderOfTheRoutes(t *testing.T) {
	manifests := []string{gatewayWith(plain, "{name: wild, port: 80, protocol: HTTP, hostname: '*.test'}"), shop}
	for i := range 20 {
		manifests = append(manifests, routeWith(fmt.Sprintf("r%d", i), parent, fmt.Sprintf("hostnames: [h%d.test, '*.test']", i%7), "rules: [{backendRefs: [{name: one, port: 80}]}]"))
	}
	s := world(t, strings.Join(manifests, "\n---\n"))
	list := slices.Clone(s.RoutesOfGateway(edge))
	random := rand.New(rand.NewPCG(1, 2))
	var first *Result
	for range 10 {
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		res := Compile(Input{Gateway: s.Gateway(edge), Routes: list}, s)
		for i := range res.Listeners {
			res.Listeners[i].allowed = nil
		}
		if first == nil {
			first = res
		}
		if !reflect.DeepEqual(first, res) {
			t.Fatal("two orders of the same routes gave different results")
		}
	}
}

func TestOnlyParentsOfThisGatewayGetConditions(t *testing.T) {
	s := world(t, strings.Join([]string{gatewayWith(plain), shop, routeWith("r", "parentRefs: [{name: other}, {name: edge}, {kind: Service, group: '', name: one}]", "rules: [{}]")}, "\n---\n"))
	parents := compile(s).Routes[0].Parents
	if len(parents) != 1 || parents[0].ParentRef.Name != gatewayv1.ObjectName("edge") || parents[0].ControllerName != "wasmpoint.dev/controller" {
		t.Errorf("got %+v", parents)
	}
}

func TestABackendThatSpeaksTLSIsNoBackend(t *testing.T) {
	s := world(t, strings.Join([]string{gatewayWith(plain), shop, routeWith("r", parent, "rules: [{backendRefs: [{name: one, port: 80}]}]")}, "\n---\n"))
	res := Compile(Input{Gateway: s.Gateway(edge), Routes: s.RoutesOfGateway(edge), Encrypted: func(p *corev1.ServicePort) bool { return p.Name == "http" }}, s)
	got := says(res.Routes[0].Parents[0].Conditions, "ResolvedRefs")
	want := "ResolvedRefs=False UnsupportedProtocol: spec.rules[0].backendRefs[0]: port 80 of Service shop/one speaks TLS, to which this gateway cannot speak; use a port with plain HTTP"
	if got != want || !res.Ports[0].Chains[0].Hosts[0].Rules[0].Backends[0].Broken {
		t.Error(got)
	}
}
