package attach

import (
	"strings"
	"testing"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// authorization makes an AuthorizationPolicy from targets as "Service:web".
func authorization(text string, targets ...string) *model.MeshPolicy {
	n := name(text)
	p := &model.MeshPolicy{Key: model.Key{Kind: string(store.KindAuthorizationPolicy), Namespace: n.Namespace, Name: n.Name}}
	for _, target := range targets {
		p.Targets = append(p.Targets, targetOf(n.Namespace, target))
	}
	return p
}

func TestTheIstioPoliciesThatConcernAGatewayAreItsOwnItsClasssAndItsServices(t *testing.T) {
	tracker := NewTracker(Config{})
	apply := func(want string, events ...store.Event) {
		t.Helper()
		changes, err := tracker.Apply(events...)
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, n := range append(changes.Unenforced, changes.Gateways...) {
			told[n.String()] = true
		}
		var all []string
		for _, key := range tracker.Unenforced(name("w")) {
			all = append(all, key.Namespace+"/"+key.Name)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("at the waypoint %q, want %q", got, want)
		}
		if !told["default/w"] {
			t.Errorf("the waypoint is not named: %+v", changes)
		}
	}
	apply("", puts(waypoint("w"), ingress("g"), svc("web", http80, uses("w")), svc("db", http80))...)
	apply("default/at-web", puts(authorization("at-web", "Service:web"))...)
	apply("default/at-both default/at-web", puts(authorization("at-both", "Gateway:w", "Service:web"))...)
	apply("default/at-both default/at-web istio-system/at-class",
		puts(authorization("istio-system/at-class", "GatewayClass:"+extv1.ClassWaypoint), authorization("elsewhere", "GatewayClass:"+extv1.ClassWaypoint))...)
	bind := func(labels ...string) []store.Event { return puts(svc("db", http80, labels...)) }
	if changes, _ := tracker.Apply(puts(authorization("at-db", "Service:db"), authorization("of-workloads"))...); !changes.Empty() {
		t.Errorf("a policy on a Service without a waypoint, and one of workloads, changed %+v", changes)
	}
	apply("default/at-both default/at-db default/at-web istio-system/at-class", bind(uses("w"))...)
	apply("default/at-both default/at-web istio-system/at-class", bind()...)
	apply("default/at-web istio-system/at-class", store.Event{Deleted: store.Ref{Kind: store.KindAuthorizationPolicy, NamespacedName: name("at-both")}})
	apply("istio-system/at-class", puts(authorization("at-web", "Service:db"))...)
	if got := tracker.Unenforced(name("g")); len(got) != 0 {
		t.Errorf("at the ingress gateway %v", got)
	}
	if _, err := tracker.Apply(puts(authorization("at-g", "Gateway:g"))...); err != nil {
		t.Fatal(err)
	}
	if got := tracker.Unenforced(name("g")); len(got) != 1 || got[0].Name != "at-g" {
		t.Errorf("at the ingress gateway %v", got)
	}
}
