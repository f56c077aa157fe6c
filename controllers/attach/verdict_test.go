package attach

import (
	"slices"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func lua(p *model.Plugin) *model.Plugin {
	p.Wasm, p.Lua = nil, "function envoy_on_request() end"
	return p
}

func hostEnv(p *model.Plugin) *model.Plugin {
	p.Wasm.Env = []model.EnvVar{{Name: "A", Value: "b"}, {Name: "HOME", FromHost: true}}
	return p
}

func annotated(g *gatewayv1.Gateway, key, value string) *gatewayv1.Gateway {
	g.Annotations[key] = value
	return g
}

func TestVerdictsOfDeclaredTargets(t *testing.T) {
	mesh := []any{waypoint("w"), svc("web", []string{"http:80", "http-b:8080"}, uses("w")), svc("db", []string{"mysql:3306"}, uses("w"))}
	four := []any{network(plugin("a1")), network(plugin("a2")), network(plugin("a3")), network(plugin("a4"))}
	for _, c := range []struct {
		why             string
		objects         []any
		plugin          *model.Plugin
		reason, message string
	}{
		{"a Gateway", []any{ingress("g")}, plugin("p", "Gateway:g"), extv1.ReasonAccepted, "Attached to Gateway default/g"},
		{"a Service", mesh, plugin("p", "Service:web"), extv1.ReasonAccepted, "Attached to Service default/web at waypoint default/w"},
		{
			"a ServiceEntry", []any{waypoint("w"), entry("web", http80, uses("w"))}, plugin("p", "ServiceEntry:web"),
			extv1.ReasonAccepted, "Attached to ServiceEntry default/web at waypoint default/w",
		},
		{
			"a class", []any{ingress("g")}, plugin("istio-system/p", "GatewayClass:wasmpoint"),
			extv1.ReasonAccepted, "Attached to the Gateways of class wasmpoint",
		},
		{
			"a Gateway that is not there", nil, plugin("p", "Gateway:g"), extv1.ReasonTargetNotFound,
			"Gateway default/g does not exist; create it, or correct the name in targetRefs",
		},
		{
			"a Service that is not there", nil, plugin("p", "Service:web"), extv1.ReasonTargetNotFound,
			"Service default/web does not exist; create it, or correct the name in targetRefs",
		},
		{
			"a ServiceEntry that is not there", mesh, plugin("p", "ServiceEntry:web"), extv1.ReasonTargetNotFound,
			"ServiceEntry default/web does not exist; create it, or correct the name in targetRefs",
		},
		{
			"a class that is not there", nil, plugin("istio-system/p", "GatewayClass:x"), extv1.ReasonTargetNotFound,
			"GatewayClass x does not exist; create it, or correct the name in targetRefs",
		},
		{
			"a class without Gateways", []any{class("x")}, plugin("istio-system/p", "GatewayClass:x"), extv1.ReasonTargetHasNoGateways,
			"No Gateway has gatewayClassName x; create one, or target another class",
		},
		{
			"our own classes are known without an object", nil, plugin("istio-system/p", "GatewayClass:istio-waypoint"),
			extv1.ReasonTargetHasNoGateways, "No Gateway has gatewayClassName istio-waypoint; create one, or target another class",
		},
		{
			"a class without an object but with Gateways is known", []any{gateway("g", "x", "h:80:HTTP")},
			plugin("istio-system/p", "GatewayClass:x"), extv1.ReasonAccepted, "Attached to the Gateways of class x",
		},
		{
			"a class from another namespace than the root", []any{ingress("g")}, plugin("p", "GatewayClass:wasmpoint"),
			extv1.ReasonRootNamespaceOnly,
			"GatewayClass wasmpoint can be targeted from the root namespace istio-system only; move the plugin there, or target " +
				"a Gateway of namespace default",
		},
		{
			"an unknown kind", nil,
			with(plugin("p"), func(p *model.Plugin) {
				p.Targets = []model.TargetRef{{Group: "apps", Kind: "Deployment", Namespace: "default", Name: "x"}}
			}),
			extv1.ReasonTargetKindUnknown,
			"targetRefs kind Deployment of group \"apps\" cannot be targeted; use Gateway, GatewayClass (gateway.networking.k8s.io), " +
				"Service (group \"\") or ServiceEntry (networking.istio.io)",
		},
		{
			"a known kind of another group", mesh,
			with(plugin("p"), func(p *model.Plugin) {
				p.Targets = []model.TargetRef{{Group: "serving.knative.dev", Kind: "Service", Namespace: "default", Name: "web"}}
			}),
			extv1.ReasonTargetKindUnknown,
			"targetRefs kind Service of group \"serving.knative.dev\" cannot be targeted; use Gateway, GatewayClass " +
				"(gateway.networking.k8s.io), Service (group \"\") or ServiceEntry (networking.istio.io)",
		},
		{
			"an invalid plugin", []any{ingress("g")}, with(plugin("p", "Gateway:g"), func(p *model.Plugin) { p.Invalid = "spec.url: empty" }),
			extv1.ReasonInvalid, "spec.url: empty",
		},
		{
			"an invalid plugin without targets", []any{ingress("g")}, with(plugin("p"), func(p *model.Plugin) { p.Invalid = "spec.url: empty" }),
			extv1.ReasonInvalid, "spec.url: empty",
		},
		{
			"a target of another namespace", []any{ingress("shop/g")},
			with(plugin("p"), func(p *model.Plugin) { p.Targets = []model.TargetRef{GatewayTarget(name("shop/g"))} }),
			extv1.ReasonInvalid, "targetRefs namespace shop is not the plugin's own; leave the field out, or move the plugin to namespace shop",
		},
		{
			"a Gateway without usable listeners", []any{gateway("g", "x", "dns:53:UDP")}, plugin("p", "Gateway:g"), extv1.ReasonTargetHasNoPorts,
			"Gateway default/g has no listener of protocol HTTP, HTTPS, TLS or TCP; add one to spec.listeners",
		},
		{
			"a waypoint that nobody uses", []any{waypoint("w")}, plugin("p", "Gateway:w"), extv1.ReasonTargetHasNoPorts,
			"No Service uses waypoint default/w; set the label istio.io/use-waypoint=w on a Service or a Namespace",
		},
		{
			"a class whose waypoints nobody uses", []any{waypoint("w")}, plugin("istio-system/p", "GatewayClass:wasmpoint-waypoint"),
			extv1.ReasonTargetHasNoPorts, "No Gateway of class wasmpoint-waypoint has a listener, or a Service that uses it as its waypoint; add one",
		},
		{
			"a Service without ports", []any{waypoint("w"), svc("web", nil, uses("w"))}, plugin("p", "Service:web"),
			extv1.ReasonTargetHasNoPorts, "Service default/web has no port that is carried over TCP; add one to spec.ports",
		},
		{
			"a Service without a waypoint", []any{svc("web", http80)}, plugin("p", "Service:web"), extv1.ReasonNoWaypoint,
			"Service default/web uses no waypoint; set the label istio.io/use-waypoint on it or on Namespace default",
		},
		{
			"CLIENT at a waypoint", mesh, matching(plugin("p", "Service:web"), model.ModeClient), extv1.ReasonNoMatchingMode,
			"match.mode CLIENT does not apply to Service default/web at waypoint default/w, which is on the side of a waypoint; " +
				"use CLIENT at ingress gateways, SERVER at waypoints, or CLIENT_AND_SERVER",
		},
		{
			"SERVER at an ingress gateway", []any{ingress("g")}, matching(plugin("p", "Gateway:g"), model.ModeServer), extv1.ReasonNoMatchingMode,
			"match.mode SERVER does not apply to Gateway default/g, which is on the side of an ingress gateway; " +
				"use CLIENT at ingress gateways, SERVER at waypoints, or CLIENT_AND_SERVER",
		},
		{
			"a port that the Service does not have", mesh, matching(matching(plugin("p", "Service:web"), "", 9090), model.ModeClient, 80),
			extv1.ReasonNoMatchingPort,
			"match.ports 9090 names no port of Service default/web at waypoint default/w, which has 80, 8080; correct match.ports",
		},
		{
			"a port that the Gateway does not have", []any{ingress("g")}, matching(plugin("p", "Gateway:g"), "", 443, 8443),
			extv1.ReasonNoMatchingPort, "match.ports 443, 8443 names no port of Gateway default/g, which has 80; correct match.ports",
		},
		{
			"an HTTP plugin at a TCP Service", mesh, plugin("p", "Service:db"), extv1.ReasonProtocolMismatch,
			"type HTTP needs an HTTP port, and Service default/db at waypoint default/w has TCP on 3306; set appProtocol " +
				"(for example http) on the port if it speaks HTTP, or use type NETWORK",
		},
		{
			"an HTTP plugin at a TCP listener", []any{gateway("g", "x", "t:90:TCP")}, plugin("p", "Gateway:g"), extv1.ReasonProtocolMismatch,
			"type HTTP needs a listener of protocol HTTP or HTTPS, and Gateway default/g has other protocols on 90; add such a " +
				"listener, or use type NETWORK",
		},
		{
			"a NETWORK plugin at an HTTP Service", mesh, network(plugin("p", "Service:web")), extv1.ReasonProtocolMismatch,
			"type NETWORK runs at waypoints on TCP ports only, and Service default/web at waypoint default/w has HTTP on 80, 8080; use type HTTP",
		},
		{
			"match.ports picks the port whose protocol does not fit", []any{waypoint("w"), svc("web", []string{"http:80", "tcp:90"}, uses("w"))},
			matching(plugin("p", "Service:web"), "", 90), extv1.ReasonProtocolMismatch,
			"type HTTP needs an HTTP port, and Service default/web at waypoint default/w has TCP on 90; set appProtocol " +
				"(for example http) on the port if it speaks HTTP, or use type NETWORK",
		},
		{
			"a fifth NETWORK plugin", append(four, ingress("g")), network(plugin("p", "Gateway:g")), extv1.ReasonTooManyNetworkPlugins,
			"All 4 network slots of Gateway default/g are taken by plugins that come earlier; raise priority, or remove a NETWORK plugin",
		},
		{
			"a fifth NETWORK plugin with a higher priority", append(four, ingress("g")), prioritised(network(plugin("p", "Gateway:g")), 1),
			extv1.ReasonAccepted, "Attached to Gateway default/g",
		},
		{
			"a fifth NETWORK plugin at some places",
			[]any{
				gateway("g", "x", "a:80:HTTP", "b:81:HTTP"),
				matching(four[0].(*model.Plugin), "", 80), matching(four[1].(*model.Plugin), "", 80),
				matching(four[2].(*model.Plugin), "", 80), matching(four[3].(*model.Plugin), "", 80),
			}, network(plugin("p", "Gateway:g")), extv1.ReasonAccepted,
			"Attached to Gateway default/g; left out at 1 of 2 places, where all 4 network slots are taken by plugins that come earlier",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			wantVerdict(t, world(t, append(c.objects[:len(c.objects):len(c.objects)], c.plugin)...), c.plugin, c.reason, c.message)
		})
	}
}

func TestLuaAndHostEnvironmentOfAForeignNamespaceNeedTheGatewaysOwner(t *testing.T) {
	shared := func() *gatewayv1.Gateway { return admitting(waypoint("infra/w"), gatewayv1.NamespacesFromAll, nil) }
	web := func(ns string) any {
		return svc(ns+"/web", http80, uses("w"), extv1.LabelUseWaypointNamespace+"=infra")
	}
	const (
		allowLua, allowHost = extv1.AnnotationAllowLuaFrom, extv1.AnnotationAllowHostEnvFrom
		noLua               = "Lua from namespace shop is not allowed in Gateway infra/w; its owner can allow it with the annotation " +
			"wasmpoint.dev/allow-lua-from: shop"
		noHost = "vmConfig.env valueFrom HOST from namespace shop is not allowed in Gateway infra/w; its owner can allow it with the " +
			"annotation wasmpoint.dev/allow-host-env-from: shop"
		attached = "Attached to Service shop/web at waypoint infra/w"
	)
	for _, c := range []struct {
		why             string
		gateway         *gatewayv1.Gateway
		plugin          *model.Plugin
		reason, message string
	}{
		{"Lua", shared(), lua(plugin("shop/p", "Service:web")), extv1.ReasonNotPermitted, noLua},
		{"Lua, allowed", annotated(shared(), allowLua, "a, shop"), lua(plugin("shop/p", "Service:web")), extv1.ReasonAccepted, attached},
		{"Lua, all allowed", annotated(shared(), allowLua, "*"), lua(plugin("shop/p", "Service:web")), extv1.ReasonAccepted, attached},
		{"Lua, another allowed", annotated(shared(), allowLua, "shopping"), lua(plugin("shop/p", "Service:web")), extv1.ReasonNotPermitted, noLua},
		{"Lua, host environment allowed", annotated(shared(), allowHost, "*"), lua(plugin("shop/p", "Service:web")), extv1.ReasonNotPermitted, noLua},
		{"host environment", shared(), hostEnv(plugin("shop/p", "Service:web")), extv1.ReasonNotPermitted, noHost},
		{"host environment, allowed", annotated(shared(), allowHost, "shop"), hostEnv(plugin("shop/p", "Service:web")), extv1.ReasonAccepted, attached},
		{"host environment, Lua allowed", annotated(shared(), allowLua, "*"), hostEnv(plugin("shop/p", "Service:web")), extv1.ReasonNotPermitted, noHost},
		{"Wasm without either", shared(), plugin("shop/p", "Service:web"), extv1.ReasonAccepted, attached},
		{
			"Lua of the Gateway's own namespace", shared(), lua(plugin("infra/p", "Service:web")),
			extv1.ReasonAccepted, "Attached to Service infra/web at waypoint infra/w",
		},
		{
			"Lua of the root namespace", shared(), lua(plugin("istio-system/p", "GatewayClass:wasmpoint-waypoint")),
			extv1.ReasonAccepted, "Attached to the Gateways of class wasmpoint-waypoint",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := world(t, c.gateway, c.plugin, web("shop"), web("infra"))
			wantVerdict(t, r, c.plugin, c.reason, c.message)
		})
	}
}

func TestVerdictsOfPluginsWithoutTargets(t *testing.T) {
	selecting := func(p *model.Plugin) *model.Plugin { p.Selector = pairs([]string{"a=b"}); return p }
	for _, c := range []struct {
		why             string
		objects         []any
		plugin          *model.Plugin
		reason, message string
	}{
		{
			"no Gateway in its namespace", []any{ingress("other/g")}, plugin("p"), extv1.ReasonNoGatewayInReach,
			"Namespace default has no Gateway that this plugin could run in; create one, or name a target in targetRefs",
		},
		{
			"no Gateway at all", nil, plugin("istio-system/p"), extv1.ReasonNoGatewayInReach,
			"The cluster has no Gateway that this plugin could run in; create one, or name a target in targetRefs",
		},
		{
			"waypoints only", []any{waypoint("w")}, plugin("p"), extv1.ReasonWaypointNeedsTargetRef,
			"Namespace default has waypoints only (such as default/w), and these take plugins by targetRefs alone; " +
				"name the Gateway or the Service in targetRefs",
		},
		{
			"a selector that matches nothing", []any{ingress("g"), waypoint("w")}, selecting(plugin("p")), extv1.ReasonSelectorMatchesNothing,
			"selector.matchLabels match the proxies of no ingress Gateway in reach (of 1); correct them, or set them in " +
				"spec.infrastructure.labels of a Gateway",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := world(t, append(c.objects, c.plugin)...)
			wantVerdict(t, r, c.plugin, c.reason, c.message)
			if got := r.Verdicts(c.plugin)[0].Target; got != (model.TargetRef{}) {
				t.Errorf("its target is %+v, want none", got)
			}
		})
	}
}

func TestAPluginWithoutTargetsHasOneVerdictForEachGatewayThatItReaches(t *testing.T) {
	p := plugin("istio-system/p")
	r := world(t, p, ingress("b/g"), ingress("a/g"), waypoint("a/w"), gateway("c/tcp", "x", "t:90:TCP"))
	wantReason(t, r, p, extv1.ReasonAccepted, extv1.ReasonAccepted, extv1.ReasonProtocolMismatch)
	for i, want := range []string{"a/g", "b/g", "c/tcp"} {
		if got := r.Verdicts(p)[i].Target; got != GatewayTarget(name(want)) {
			t.Errorf("verdict %d is for %+v, want %s", i, got, want)
		}
	}
}

func TestVerdictsStandInDeclaredOrderWithDuplicates(t *testing.T) {
	p := plugin("p", "Service:web", "Gateway:g", "Pod:x", "Gateway:g")
	r := world(t, p, ingress("g"))
	wantReason(t, r, p, extv1.ReasonTargetNotFound, extv1.ReasonAccepted, extv1.ReasonTargetKindUnknown, extv1.ReasonAccepted)
	for i, v := range r.Verdicts(p) {
		if v.Target != p.Targets[i] {
			t.Errorf("verdict %d is for %+v", i, v.Target)
		}
	}
}

func TestAClassTargetIsAcceptedIfOneGatewayTakesThePlugin(t *testing.T) {
	p := plugin("istio-system/p", "GatewayClass:x")
	r := world(t, p, gateway("a/tcp", "x", "t:90:TCP"), gateway("b/http", "x", "h:80:HTTP"), gateway("c/none", "x"))
	got := r.Verdicts(p)[0]
	if !got.Accepted || len(got.Scopes) != 1 || got.Scopes[0].Gateway != name("b/http") {
		t.Errorf("got %+v", got)
	}
}

func TestVerdictsAndPlacesAgree(t *testing.T) {
	for seed := range uint64(200) {
		d := newDice(seed)
		var objects []any
		for range 50 {
			objects = append(objects, d.object())
		}
		full := world(t, objects...).Full()
		places, verdicts := map[string]bool{}, map[string]bool{}
		lists := [][]PlaceResult{}
		for _, g := range full.Gateways {
			lists = append(lists, g.Places)
		}
		for _, w := range full.Workloads {
			lists = append(lists, w.Places)
		}
		for _, list := range lists {
			for _, p := range list {
				for phase := range p.Plugins.HTTP {
					for _, plugin := range slices.Concat(p.Plugins.HTTP[phase], p.Plugins.Network[phase]) {
						places[asJSON(t, []any{plugin.Key, p.Place.Scope})] = true
					}
				}
			}
		}
		for _, p := range full.Plugins {
			for _, v := range p.Verdicts {
				for _, scope := range v.Scopes {
					verdicts[asJSON(t, []any{p.Plugin.Key, scope})] = true
				}
			}
		}
		if a, b := asJSON(t, places), asJSON(t, verdicts); a != b {
			t.Fatalf("seed %d: %s", seed, difference(a, b))
		}
	}
}
