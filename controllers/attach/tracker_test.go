package attach

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// summary is Changes in few words, so that a test can name all that changed and thereby all that did not.
type summary struct {
	Added, Changed, Removed, Gateways, Routes, Certificates, Services, Plugins, PullSecrets []string
}

func summarize(c Changes) summary {
	var s summary
	for _, p := range c.Places {
		text := p.Place.Gateway.String()
		if !p.Place.Service.IsZero() {
			text += " " + p.Place.Service.Name
		}
		text += " [" + names(p.Plugins.HTTP) + names(p.Plugins.Network) + "]"
		switch p.Kind {
		case PlaceAdded:
			s.Added = append(s.Added, text)
		case PlaceChanged:
			s.Changed = append(s.Changed, text)
		case PlaceRemoved:
			s.Removed = append(s.Removed, text)
		}
	}
	for _, n := range c.Gateways {
		s.Gateways = append(s.Gateways, n.String())
	}
	for _, n := range c.Routes {
		s.Routes = append(s.Routes, n.String())
	}
	for _, n := range c.Certificates {
		s.Certificates = append(s.Certificates, n.String())
	}
	for _, n := range c.Services {
		s.Services = append(s.Services, subject(n))
	}
	for _, k := range c.Plugins {
		s.Plugins = append(s.Plugins, k.NamespacedName().String())
	}
	for _, k := range c.PullSecrets {
		s.PullSecrets = append(s.PullSecrets, k.NamespacedName().String())
	}
	return s
}

func puts(objects ...any) []store.Event {
	var events []store.Event
	for _, object := range objects {
		events = append(events, store.Event{Object: object})
	}
	return events
}

// smallWorld has an ingress gateway g with a route to Service web, and a waypoint w that both Services use.
func smallWorld() []any {
	g := gateway("g", extv1.ClassIngress, "s:443:HTTPS")
	g.Spec.Listeners[0].TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "cert"}}}
	route := &gatewayv1.HTTPRoute{ObjectMeta: meta("r")}
	route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "g"}}
	route.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{
		{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "web"}}},
	}}}
	pulling := plugin("at-gateway", "Gateway:g")
	pulling.Wasm.PullSecret = "pull"
	return []any{
		g, route, waypoint("w"), namespace("default", uses("w")), svc("web", http80), svc("db", []string{"tcp:90"}),
		pulling, plugin("at-web", "Service:web"), plugin("at-waypoint", "Gateway:w"),
	}
}

func TestAChangeNamesWhatItChangedAndNothingElse(t *testing.T) {
	deleted := func(kind store.Kind, text string) []store.Event {
		return []store.Event{{Deleted: store.Ref{Kind: kind, NamespacedName: name(text)}}}
	}
	changedPlugin := with(plugin("at-web", "Service:web"), func(p *model.Plugin) { p.Generation = 2 })
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta("web-1")}
	slice.Labels[discoveryv1.LabelServiceName] = "web"
	grant := &gatewayv1.ReferenceGrant{ObjectMeta: meta("grant")}
	clusterName := func(kind store.Kind, name string) []store.Event {
		return []store.Event{{Deleted: store.Ref{Kind: kind, NamespacedName: nameOf(&metav1.ObjectMeta{Name: name})}}}
	}
	for _, c := range []struct {
		why    string
		events []store.Event
		want   summary
	}{
		{"a plugin's configuration", puts(changedPlugin), summary{
			Changed: []string{"default/w web [default/at-waypoint default/at-web]"}, Plugins: []string{"default/at-web"},
		}},
		{"an equal plugin", puts(plugin("at-web", "Service:web")), summary{}},
		{"a plugin that moves", puts(plugin("at-web", "Gateway:g")), summary{
			Changed: []string{"default/g [default/at-gateway default/at-web]", "default/w web [default/at-waypoint]"},
			Plugins: []string{"default/at-web"},
		}},
		{"a plugin that goes", deleted(store.KindWasmPlugin, "at-web"), summary{
			Changed: []string{"default/w web [default/at-waypoint]"}, Plugins: []string{"default/at-web"},
		}},
		{"a plugin that applies nowhere", puts(plugin("new", "Service:gone")), summary{Plugins: []string{"default/new"}}},
		{"a Service that opts out", puts(svc("web", http80, uses("none"))), summary{
			Removed: []string{"default/w web []"}, Gateways: []string{"default/w"}, Routes: []string{"default/g"},
			Services: []string{"Service default/web"}, Plugins: []string{"default/at-waypoint", "default/at-web"},
		}},
		{"a Namespace that opts out", puts(namespace("default")), summary{
			Removed: []string{"default/w db []", "default/w web []"}, Gateways: []string{"default/w"},
			Plugins: []string{"default/at-waypoint", "default/at-web"},
		}},
		{"a Namespace's own deletion", clusterName(store.KindNamespace, "default"), summary{
			Removed: []string{"default/w db []", "default/w web []"}, Gateways: []string{"default/w"},
			Plugins: []string{"default/at-waypoint", "default/at-web"},
		}},
		{"another Namespace", puts(namespace("other", uses("w"))), summary{}},
		{"a Service whose port speaks another protocol", puts(svc("web", []string{"tcp:80"})), summary{
			Changed: []string{"default/w web []"}, Gateways: []string{"default/w"}, Routes: []string{"default/g"},
			Services: []string{"Service default/web"}, Plugins: []string{"default/at-waypoint", "default/at-web"},
		}},
		{"a Service's endpoints", puts(slice), summary{Services: []string{"Service default/web"}}},
		{"a waypoint that goes", deleted(store.KindGateway, "w"), summary{
			Removed: []string{"default/w db []", "default/w web []"}, Gateways: []string{"default/w"},
			Plugins: []string{"default/at-waypoint", "default/at-web"},
		}},
		{"a Gateway's label", puts(labelled(smallWorld()[0].(*gatewayv1.Gateway), "a", "b")), summary{Gateways: []string{"default/g"}}},
		{"a class", puts(class(extv1.ClassWaypoint)), summary{Gateways: []string{"default/w"}}},
		{"a route", deleted(store.KindHTTPRoute, "r"), summary{Routes: []string{"default/g"}}},
		{"a ReferenceGrant", puts(grant), summary{Routes: []string{"default/g"}, Certificates: []string{"default/g"}}},
		{"a certificate", puts(&corev1.Secret{ObjectMeta: meta("cert")}), summary{Certificates: []string{"default/g"}}},
		{"a pull secret", puts(&corev1.Secret{ObjectMeta: meta("pull")}), summary{PullSecrets: []string{"default/at-gateway"}}},
		{"another Secret", puts(&corev1.Secret{ObjectMeta: meta("other")}), summary{}},
		{"a batch", puts(svc("new", http80), plugin("new", "Service:new")), summary{
			Added: []string{"default/w new [default/at-waypoint default/new]"}, Gateways: []string{"default/w"},
			Services: []string{"Service default/new"}, Plugins: []string{"default/at-waypoint", "default/new"},
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			tracker := NewTracker(Config{})
			if _, err := tracker.Apply(puts(smallWorld()...)...); err != nil {
				t.Fatal(err)
			}
			changes, err := tracker.Apply(c.events...)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := asJSON(t, summarize(changes)), asJSON(t, c.want); got != want {
				t.Error(difference(got, want))
			}
		})
	}
}

func TestAFreedNetworkSlotGoesToTheNextPluginAndItsVerdictSaysSo(t *testing.T) {
	tracker := NewTracker(Config{})
	fifth := network(plugin("istio-system/e", "GatewayClass:wasmpoint"))
	objects := []any{ingress("istio-system/g"), fifth}
	for _, n := range []string{"a", "b", "c", "d"} {
		objects = append(objects, network(plugin("istio-system/"+n, "Gateway:g")))
	}
	if _, err := tracker.Apply(puts(objects...)...); err != nil {
		t.Fatal(err)
	}
	if got := tracker.Verdicts(fifth.Key)[0].Reason; got != extv1.ReasonTooManyNetworkPlugins {
		t.Errorf("the fifth plugin has reason %s", got)
	}
	changes, err := tracker.Apply(store.Event{Deleted: store.Ref{Kind: store.KindWasmPlugin, NamespacedName: name("istio-system/b")}})
	want := summary{
		Changed: []string{"istio-system/g [istio-system/a istio-system/c istio-system/d istio-system/e]"},
		Plugins: []string{"istio-system/b", "istio-system/e"},
	}
	if got := asJSON(t, summarize(changes)); err != nil || got != asJSON(t, want) {
		t.Errorf("changes are %s %v", got, err)
	}
	if got := tracker.Verdicts(fifth.Key)[0].Reason; got != extv1.ReasonAccepted {
		t.Errorf("then it has reason %s", got)
	}
}

func TestWhatTheOwnerAllowsJudgesThePluginsOfHisServicesAnew(t *testing.T) {
	tracker := NewTracker(Config{})
	shared := func() *gatewayv1.Gateway { return admitting(waypoint("infra/w"), gatewayv1.NamespacesFromAll, nil) }
	script, reader := lua(plugin("shop/script", "Service:web")), hostEnv(plugin("shop/reader", "Service:web"))
	if _, err := tracker.Apply(puts(shared(), svc("shop/web", http80, uses("w"), extv1.LabelUseWaypointNamespace+"=infra"), script, reader)...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		gateway        *gatewayv1.Gateway
		script, reader string
	}{
		{shared(), extv1.ReasonNotPermitted, extv1.ReasonNotPermitted},
		{annotated(shared(), extv1.AnnotationAllowLuaFrom, "shop"), extv1.ReasonAccepted, extv1.ReasonNotPermitted},
		{annotated(shared(), extv1.AnnotationAllowHostEnvFrom, "shop"), extv1.ReasonNotPermitted, extv1.ReasonAccepted},
		{shared(), extv1.ReasonNotPermitted, extv1.ReasonNotPermitted},
	} {
		if _, err := tracker.Apply(puts(c.gateway)...); err != nil {
			t.Fatal(err)
		}
		if s, r := tracker.Verdicts(script.Key)[0].Reason, tracker.Verdicts(reader.Key)[0].Reason; s != c.script || r != c.reader {
			t.Errorf("with %v: %s and %s, want %s and %s", c.gateway.Annotations, s, r, c.script, c.reader)
		}
	}
}

func TestAClassWidePluginIsJudgedAnewWhenItsMatchChanges(t *testing.T) {
	tracker := NewTracker(Config{})
	p := func() *model.Plugin { return plugin("istio-system/p", "GatewayClass:wasmpoint") }
	for i, c := range []struct {
		plugin *model.Plugin
		want   string
	}{
		{p(), extv1.ReasonAccepted},
		{matching(p(), model.ModeServer), extv1.ReasonNoMatchingMode},
		{matching(p(), model.ModeClient, 81), extv1.ReasonNoMatchingPort},
		{p(), extv1.ReasonAccepted},
	} {
		if _, err := tracker.Apply(puts(ingress("a/g"), ingress("b/g"), c.plugin)...); err != nil {
			t.Fatal(err)
		}
		if got := tracker.Verdicts(c.plugin.Key)[0].Reason; got != c.want {
			t.Errorf("version %d has reason %s, want %s", i, got, c.want)
		}
	}
}

func TestAnObjectOfAnUnknownTypeIsReportedAndTheRestIsTaken(t *testing.T) {
	tracker := NewTracker(Config{})
	changes, err := tracker.Apply(puts(&corev1.Pod{}, ingress("g"))...)
	if err == nil || err.Error() != "the store takes no objects of type *v1.Pod" {
		t.Errorf("the error is %v", err)
	}
	if len(changes.Places) != 1 {
		t.Errorf("changes are %+v", changes)
	}
}

func TestTheTrackerAnswersForOneThing(t *testing.T) {
	tracker := NewTracker(Config{})
	if _, err := tracker.Apply(puts(smallWorld()...)...); err != nil {
		t.Fatal(err)
	}
	if !tracker.IsWaypoint(name("w")) || tracker.IsWaypoint(name("g")) || tracker.IsWaypoint(name("gone")) {
		t.Error("IsWaypoint is wrong")
	}
	scope := model.Scope{Gateway: name("w"), Port: 80, Service: model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"}}
	if place, ok := tracker.Place(scope); !ok || names(place.Plugins.HTTP) != "default/at-waypoint default/at-web" {
		t.Errorf("the place is %+v", place)
	}
	if _, ok := tracker.Place(model.Scope{Gateway: name("w"), Port: 81}); ok {
		t.Error("a place that is not there")
	}
	if got := tracker.BoundServices(name("w")); len(got) != 2 {
		t.Errorf("bound are %v", got)
	}
	if got := tracker.Binding(model.ServiceKey{Kind: "Service", Namespace: "default", Name: "gone"}); got.Reason != extv1.ReasonTargetNotFound {
		t.Errorf("the binding of a missing Service is %+v", got)
	}
	if got := tracker.Verdicts(model.Key{Kind: extv1.KindWasmPlugin, Namespace: "default", Name: "at-web"}); len(got) != 1 || !got[0].Accepted {
		t.Errorf("verdicts are %+v", got)
	}
}
