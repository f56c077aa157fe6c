package attach

import (
	"slices"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func TestPluginsRunByPhaseThenPriorityThenAgeThenName(t *testing.T) {
	trafficExtension := plugin("same")
	trafficExtension.Kind = extv1.KindTrafficExtension
	want := []*model.Plugin{
		phased(plugin("z-authn"), model.PhaseAuthn),
		prioritised(phased(plugin("y-authz"), model.PhaseAuthz), -5),
		phased(plugin("a-authz-absent-priority-comes-after-every-number"), model.PhaseAuthz),
		phased(plugin("x-stats"), model.PhaseStats),
		prioritised(plugin("w-high"), 10),
		prioritised(plugin("w-zero"), 0),
		prioritised(plugin("w-lowest"), -1<<31),
		plugin("v-age-unknown-counts-as-oldest"),
		aged(plugin("u-old"), 1),
		aged(plugin("a-young"), 2),
		aged(plugin("a/z-namespace-comes-before-name"), 3),
		aged(plugin("b/a"), 3),
		aged(trafficExtension, 4),
		aged(plugin("same"), 4),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("place %d has %s, want %s", i, got[i].Key, want[i].Key)
		}
		for j := range want {
			if c := Compare(want[i], want[j]); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("%s against %s compares %d", want[i].Key, want[j].Key, c)
			}
		}
	}
}

func TestAgeIsTimeNotZone(t *testing.T) {
	a, b := plugin("b"), plugin("a")
	a.Created = time.Date(2026, 1, 1, 10, 0, 0, 0, time.FixedZone("east", 3600))
	b.Created = time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC)
	if Compare(a, b) >= 0 {
		t.Error("9:00 UTC does not come before 9:30 UTC")
	}
}

func TestHowAPluginReachesAPlace(t *testing.T) {
	shared := admitting(waypoint("infra/w"), gatewayv1.NamespacesFromAll, nil)
	web := svc("shop/web", http80, uses("w"), extv1.LabelUseWaypointNamespace+"=infra")
	gate := with(ingress("shop/g"), func(g *gatewayv1.Gateway) {
		g.Labels["istio"] = "object"
		g.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{
			Labels: map[gatewayv1.LabelKey]gatewayv1.LabelValue{"istio": "ingressgateway"},
		}
	})
	selecting := func(p *model.Plugin, labels ...string) *model.Plugin { p.Selector = pairs(labels); return p }
	for _, c := range []struct {
		why         string
		plugin      *model.Plugin
		gate, atWeb bool
	}{
		{why: "a Gateway target in its namespace", plugin: plugin("shop/p", "Gateway:g"), gate: true},
		{why: "no Gateway of another namespace", plugin: plugin("other/p", "Gateway:g")},
		{why: "also not from the root namespace", plugin: plugin("istio-system/p", "Gateway:g")},
		{why: "a Gateway target at a waypoint reaches all Services there", plugin: plugin("infra/p", "Gateway:w"), atWeb: true},
		{why: "a class target reaches ingress gateways of the class", plugin: plugin("istio-system/p", "GatewayClass:wasmpoint"), gate: true},
		{why: "and waypoints of the class", plugin: plugin("istio-system/p", "GatewayClass:wasmpoint-waypoint"), atWeb: true},
		{why: "but only from the root namespace", plugin: plugin("shop/p", "GatewayClass:wasmpoint")},
		{why: "istio-waypoint is a class as any other", plugin: plugin("istio-system/p", "GatewayClass:istio-waypoint")},
		{why: "a Service target follows the Service to its waypoint", plugin: plugin("shop/p", "Service:web"), atWeb: true},
		{why: "a Service target from the waypoint's namespace names another Service", plugin: plugin("infra/p", "Service:web")},
		{why: "a ServiceEntry target is not a Service target", plugin: plugin("shop/p", "ServiceEntry:web")},
		{why: "no target and no selector: ingress gateways of the namespace", plugin: plugin("shop/p"), gate: true},
		{why: "no target: not waypoints", plugin: plugin("infra/p")},
		{why: "from the root namespace: ingress gateways everywhere", plugin: plugin("istio-system/p"), gate: true},
		{why: "not from another namespace", plugin: plugin("other/p")},
		{why: "an empty selector selects everything", plugin: selecting(plugin("shop/p")), gate: true},
		{why: "a selector matches infrastructure labels", plugin: selecting(plugin("istio-system/p"), "istio=ingressgateway"), gate: true},
		{why: "not the labels of the Gateway object", plugin: selecting(plugin("shop/p"), "istio=object")},
		{
			why:    "a selector matches the standard labels",
			plugin: selecting(plugin("shop/p"), extv1.LabelGatewayName+"=g", extv1.LabelGatewayClassName+"=wasmpoint"), gate: true,
		},
		{why: "a selector needs all its labels", plugin: selecting(plugin("shop/p"), "istio=ingressgateway", "x=y")},
		{why: "a selector never matches a waypoint", plugin: selecting(plugin("infra/p"), extv1.LabelGatewayName+"=w")},
		{why: "targets beat a selector", plugin: selecting(plugin("shop/p", "Service:web"), "istio=ingressgateway"), atWeb: true},
		{why: "any one target suffices", plugin: plugin("shop/p", "Gateway:gone", "Service:web", "Gateway:g"), gate: true, atWeb: true},
		{why: "an invalid plugin runs nowhere", plugin: with(plugin("shop/p"), func(p *model.Plugin) { p.Invalid = "broken" })},
		{
			why:    "a reference into another namespace reaches nothing",
			plugin: with(plugin("other/p"), func(p *model.Plugin) { p.Targets = []model.TargetRef{GatewayTarget(name("shop/g"))} }),
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			in := func(reached bool) string {
				if reached {
					return c.plugin.Namespace + "/" + c.plugin.Name
				}
				return ""
			}
			wantPlaces(t, world(t, shared, web, gate, c.plugin),
				"infra/w Service shop/web:80 http["+in(c.atWeb)+"]",
				"shop/g:80 http["+in(c.gate)+"] network[]")
		})
	}
}

func TestTheRootNamespaceIsConfigured(t *testing.T) {
	r := world(t, ingress("shop/g"), plugin("istio-system/default-root"), plugin("mesh/p"))
	wantPlaces(t, r, "shop/g:80 http[istio-system/default-root] network[]")
	r.RootNamespace = "mesh"
	wantPlaces(t, r, "shop/g:80 http[mesh/p] network[]")
}

func TestAPluginThatReachesAPlaceByTwoTargetsRunsOnceThere(t *testing.T) {
	r := world(t, waypoint("w"), svc("web", http80, uses("w")), plugin("p", "Service:web", "Gateway:w", "Service:web"))
	wantPlaces(t, r, "default/w Service default/web:80 http[default/p]")
	verdicts := r.Verdicts(r.Plugins()[0])
	if len(verdicts) != 3 || !verdicts[0].Accepted || !verdicts[1].Accepted || !verdicts[2].Accepted {
		t.Errorf("verdicts are %+v", verdicts)
	}
}

func TestAPluginForTheRootNamespaceOnItsOwnGatewayRunsOnce(t *testing.T) {
	wantPlaces(t, world(t, ingress("istio-system/g"), plugin("istio-system/p")), "istio-system/g:80 http[istio-system/p] network[]")
}

func TestNetworkPluginsRunOnEveryIngressPortAndOnTCPPortsOfWaypoints(t *testing.T) {
	wantPlaces(t, world(t,
		gateway("g", extv1.ClassIngress, "h:80:HTTP", "t:90:TCP"),
		waypoint("w"), svc("web", []string{"http:80", "mysql:3306", "https:443"}, uses("w")),
		network(plugin("n", "Gateway:g", "Gateway:w")), plugin("h", "Gateway:g", "Gateway:w"),
	),
		"default/g:80 http[default/h] network[default/n]",
		"default/g:90 network[default/n]",
		"default/w Service default/web:80 http[default/h]",
		"default/w Service default/web:443 network[default/n]",
		"default/w Service default/web:3306 network[default/n]",
	)
}

func TestTheFirstFourNetworkPluginsGetTheSlots(t *testing.T) {
	wantPlaces(t, world(t, ingress("g"),
		network(plugin("e")), network(plugin("d")), network(plugin("c")), network(plugin("b")),
		network(phased(plugin("z"), model.PhaseAuthn)), plugin("http-does-not-count"),
	), "default/g:80 http[default/http-does-not-count] network[default/z default/b default/c default/d]")
}

func TestMatchSelectsBySideAndPort(t *testing.T) {
	objects := []any{
		gateway("g", extv1.ClassIngress, "a:80:HTTP", "b:8080:HTTP"),
		waypoint("w"), svc("web", []string{"http:80", "http-b:8080"}, uses("w")),
	}
	for _, c := range []struct {
		why   string
		match []model.TrafficSelector
		// the places where it runs: gateway 80 and 8080, waypoint 80 and 8080
		want [4]bool
	}{
		{"no match is everywhere", nil, [4]bool{true, true, true, true}},
		{"CLIENT is ingress gateways", []model.TrafficSelector{{Mode: model.ModeClient}}, [4]bool{true, true, false, false}},
		{"SERVER is waypoints", []model.TrafficSelector{{Mode: model.ModeServer}}, [4]bool{false, false, true, true}},
		{"both is both", []model.TrafficSelector{{Mode: model.ModeBoth}}, [4]bool{true, true, true, true}},
		{"undefined is both", []model.TrafficSelector{{}}, [4]bool{true, true, true, true}},
		{"ports are the listener's and the Service's", []model.TrafficSelector{{Ports: []int32{8080}}}, [4]bool{false, true, false, true}},
		{"any port of a list", []model.TrafficSelector{{Ports: []int32{8080, 80}}}, [4]bool{true, true, true, true}},
		{
			"the fields of an entry are AND-ed", []model.TrafficSelector{{Mode: model.ModeServer, Ports: []int32{80}}},
			[4]bool{false, false, true, false},
		},
		{
			"entries are OR-ed",
			[]model.TrafficSelector{{Mode: model.ModeServer, Ports: []int32{80}}, {Mode: model.ModeClient, Ports: []int32{8080}}},
			[4]bool{false, true, true, false},
		},
	} {
		for _, kind := range []string{"HTTP", "NETWORK"} {
			t.Run(kind+": "+c.why, func(t *testing.T) {
				p := plugin("p", "Gateway:g", "Gateway:w")
				p.Match = c.match
				r := world(t, append(objects, p)...)
				if kind == "NETWORK" {
					p.Type = model.TypeNetwork
					r = world(t, append(objects[:2:2], svc("web", []string{"tcp:80", "tcp-b:8080"}, uses("w")), p)...)
				}
				var got [4]bool
				i := 0
				for _, g := range r.Full().Gateways {
					for _, place := range g.Places {
						got[i] = len(place.Plugins.HTTP[3])+len(place.Plugins.Network[3]) == 1
						i++
					}
				}
				if i != 4 || got != c.want {
					t.Errorf("runs at %v of %d places, want %v", got, i, c.want)
				}
			})
		}
	}
}
