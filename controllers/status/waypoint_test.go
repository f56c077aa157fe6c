package status

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func serviceRef(name string) model.TargetRef {
	return model.TargetRef{Kind: "Service", Namespace: "default", Name: name}
}

func classRef(name string) model.TargetRef {
	return model.TargetRef{Group: gatewayGroup, Kind: "GatewayClass", Name: name}
}

// bound is a target that was accepted at a waypoint.
func bound(ref model.TargetRef, waypoint string) Target {
	return Target{Verdict: model.Verdict{Target: ref, Accepted: true, Reason: ext.ReasonAccepted, Scopes: []model.Scope{{
		Gateway: types.NamespacedName{Namespace: "default", Name: waypoint},
		Service: model.ServiceKey{Kind: "Service", Namespace: "default", Name: "reviews"}, Port: 9080,
	}}}, Proxies: Proxies{Total: 1, Running: 1}}
}

func TestWaypointAcceptedHasIstiosForm(t *testing.T) {
	entry := model.TargetRef{Group: "networking.istio.io", Kind: "ServiceEntry", Namespace: "default", Name: "db"}
	unused := rejected(gatewayRef("w"), ext.ReasonTargetHasNoPorts, "no Service uses waypoint default/w")
	unused.Waypoint = true
	cases := []struct {
		name    string
		targets []Target
		want    string
	}{
		{"a bound Service", []Target{bound(serviceRef("reviews"), "w")}, "WaypointAccepted=True Accepted: bound to default/w\n"},
		{"a Service without waypoint", []Target{rejected(serviceRef("reviews"), ext.ReasonNoWaypoint, "Service default/reviews uses no waypoint")},
			"WaypointAccepted=False AncestorNotBound: Service default/reviews uses no waypoint\n"},
		{"a Service that does not exist", []Target{rejected(serviceRef("x"), ext.ReasonTargetNotFound, "Service default/x does not exist")},
			"WaypointAccepted=False TargetNotFound: Service default/x does not exist\n"},
		{"a class from outside the root namespace", []Target{rejected(classRef("istio-waypoint"), ext.ReasonRootNamespaceOnly, "only from istio-system")},
			"WaypointAccepted=False Invalid: only from istio-system\n"},
		{"a waypoint that nobody uses", []Target{unused}, "WaypointAccepted=False AncestorNotBound: no Service uses waypoint default/w\n"},
		{"some bound", []Target{bound(serviceRef("reviews"), "w"), rejected(entry, ext.ReasonNoWaypoint, "m"), rejected(serviceRef("x"), ext.ReasonTargetNotFound, "m")},
			"WaypointAccepted=True PartiallyInvalid: Invalid targetRefs: ServiceEntry.networking.istio.io:default/db, Service.core:default/x\n"},
		{"all bound", []Target{bound(serviceRef("reviews"), "w"), bound(classRef("istio-waypoint"), "w")}, "WaypointAccepted=True Accepted: \n"},
		{"none bound", []Target{rejected(serviceRef("x"), ext.ReasonTargetNotFound, "m"), rejected(classRef("c"), ext.ReasonTargetNotFound, "m")},
			"WaypointAccepted=False Invalid: Invalid targetRefs: Service.core:default/x, GatewayClass.gateway.networking.k8s.io:c\n"},
		{"an ingress Gateway besides is not counted", []Target{accepted(gatewayRef("gw"), 1, 1), bound(serviceRef("reviews"), "w")},
			"WaypointAccepted=True Accepted: bound to default/w\n"},
		{"an ingress Gateway", []Target{accepted(gatewayRef("gw"), 1, 1)}, ""},
		{"a class of ingress Gateways", []Target{accepted(classRef("wasmpoint"), 1, 1)}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var refs []model.TargetRef
			for _, x := range c.targets {
				refs = append(refs, x.Target)
			}
			got := ""
			for _, cond := range Build(Input{Plugin: wasmPlugin(refs...), Targets: c.targets, Module: ready, Now: t0}).Conditions {
				if cond.Type == ext.ConditionWaypointAccepted {
					got = show([]metav1.Condition{cond})
				}
			}
			if got != c.want {
				t.Errorf("got  %swant %s", got, c.want)
			}
		})
	}
}

func TestWaypointAcceptedGoesWithTheLastTargetThatConcernsAWaypoint(t *testing.T) {
	first := Build(Input{Plugin: wasmPlugin(serviceRef("reviews")), Targets: []Target{bound(serviceRef("reviews"), "w")}, Module: ready, Now: t0})
	g := gatewayRef("gw")
	second := Build(Input{Plugin: wasmPlugin(g), Generation: 5, Targets: []Target{accepted(g, 1, 1)}, Module: ready, Now: t0, Previous: first})
	if len(first.Conditions) != 5 || len(second.Conditions) != 4 {
		t.Errorf("first:\n%ssecond:\n%s", show(first.Conditions), show(second.Conditions))
	}
}
