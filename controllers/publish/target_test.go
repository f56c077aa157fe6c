package publish

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

var onTargets = map[string]func(*rig){
	"a Gateway says which plugins affect it, and no more when the last one left": gatewayAffected,
	"a Service says its plugins and its waypoint":                                serviceBound,
	"a WaypointBound that istiod writes is left alone":                           istiodWrites,
	"a ServiceEntry is written in the version that there is":                     serviceEntry,
	"a new leader removes what the old one left":                                 leftover,
}

func gateway(name string) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "wasmpoint", Listeners: []gatewayv1.Listener{
			{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
		}},
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// affect sets what is so of a target, and marks it.
func (r *rig) affect(kind, name string, generation int64, waypoint *status.WaypointBinding, plugins ...string) status.Dirty {
	in := status.TargetInput{Generation: generation, Waypoint: waypoint}
	for _, p := range plugins {
		in.Plugins = append(in.Plugins, model.Key{Kind: ext.KindWasmPlugin, Namespace: "default", Name: p})
	}
	at := types.NamespacedName{Namespace: "default", Name: name}
	r.world.mu.Lock()
	r.world.targets[status.TargetKey{Kind: kind, NamespacedName: at}] = in
	r.world.mu.Unlock()
	d := status.Dirty{Gateways: []types.NamespacedName{at}}
	if kind != "Gateway" {
		d = status.Dirty{Services: []model.ServiceKey{{Kind: kind, Namespace: "default", Name: name}}}
	}
	r.Dirty(d)
	return d
}

func (r *rig) says(kind, apiVersion, name, kindOf, want string) {
	r.t.Helper()
	r.eventually(kind+" "+name, func() (string, string) { return condition(r.get(kind, apiVersion, name), kindOf), want })
}

func gatewayAffected(r *rig) {
	defer r.lead(nil)()
	r.Apply(gateway("affected"))
	says := func(want string) {
		r.t.Helper()
		r.says("Gateway", "gateway.networking.k8s.io/v1", "affected", ext.ConditionAffected, want)
	}
	r.affect("Gateway", "affected", 1, nil, "b")
	says("True PluginsAttached: 1 plugin is attached: WasmPlugin default/b")
	r.affect("Gateway", "affected", 1, nil, "b", "a")
	says("True PluginsAttached: 2 plugins are attached: WasmPlugin default/a, WasmPlugin default/b")
	r.quiet(r.affect("Gateway", "affected", 1, nil, "b", "a"))
	writes := r.Counters().Writes.Load()
	r.quiet(r.affect("Gateway", "affected", 1, nil, "a", "b"))
	if n := r.Counters().Writes.Load(); n != writes {
		r.t.Errorf("another order of the plugins caused %d writes", n-writes)
	}
	r.affect("Gateway", "affected", 1, nil)
	says("")
	// Gateway API's CRD has defaults for these; they are not ours to remove.
	if got := condition(r.get("Gateway", "gateway.networking.k8s.io/v1", "affected"), "Accepted"); got != "Unknown Pending: Waiting for controller" {
		r.t.Errorf("Accepted is %q", got)
	}
}

func serviceBound(r *rig) {
	defer r.lead(nil)()
	r.Apply(service("bound"))
	w := types.NamespacedName{Namespace: "infra", Name: "w"}
	r.affect("Service", "bound", 0, &status.WaypointBinding{Gateway: w, Bound: true}, "a")
	r.says("Service", "v1", "bound", ext.ConditionWaypointBound, "True WaypointAccepted: Successfully attached to waypoint infra/w")
	r.says("Service", "v1", "bound", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	r.quiet(r.affect("Service", "bound", 0, &status.WaypointBinding{Gateway: w, Bound: true}, "a"))
	r.affect("Service", "bound", 0, &status.WaypointBinding{Gateway: w, Reason: "AttachmentDenied", Message: "no"})
	r.says("Service", "v1", "bound", ext.ConditionWaypointBound, "False AttachmentDenied: no")
	r.says("Service", "v1", "bound", ext.ConditionAffected, "")
	r.quiet(r.affect("Service", "bound", 0, &status.WaypointBinding{Gateway: w, Reason: "AttachmentDenied", Message: "no"}))
	r.affect("Service", "bound", 0, nil)
	r.says("Service", "v1", "bound", ext.ConditionWaypointBound, "")
}

// istiod applies its condition as istiod does.
func (r *rig) istiod(name, message string) {
	r.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"namespace": "default", "name": name},
		"status": map[string]any{"conditions": []any{map[string]any{
			"type": ext.ConditionWaypointBound, "status": "True", "reason": "WaypointAccepted", "message": message,
			"lastTransitionTime": "2026-01-02T03:04:05Z",
		}}},
	}}
	err := r.Client().Status().Apply(context.Background(), client.ApplyConfigurationFromUnstructured(u),
		client.FieldOwner("istio-ambient-service"), client.ForceOwnership)
	if err != nil {
		r.t.Fatal(err)
	}
}

func istiodWrites(r *rig) {
	defer r.lead(nil)()
	r.Apply(service("istios"))
	r.istiod("istios", "istiod's text")
	w := &status.WaypointBinding{Gateway: types.NamespacedName{Namespace: "infra", Name: "w"}, Bound: true}
	r.affect("Service", "istios", 0, w, "a")
	r.says("Service", "v1", "istios", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	r.quiet(r.affect("Service", "istios", 0, w, "a"))
	r.affect("Service", "istios", 0, nil)
	r.says("Service", "v1", "istios", ext.ConditionAffected, "")
	if got := condition(r.get("Service", "v1", "istios"), ext.ConditionWaypointBound); got != "True WaypointAccepted: istiod's text" {
		r.t.Errorf("WaypointBound is %q", got)
	}

	r.Apply(service("taken"))
	r.affect("Service", "taken", 0, w)
	r.says("Service", "v1", "taken", ext.ConditionWaypointBound, "True WaypointAccepted: Successfully attached to waypoint infra/w")
	r.istiod("taken", "istiod's text")
	r.affect("Service", "taken", 0, w, "a")
	r.says("Service", "v1", "taken", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	if got := condition(r.get("Service", "v1", "taken"), ext.ConditionWaypointBound); got != "True WaypointAccepted: istiod's text" {
		r.t.Errorf("WaypointBound is %q after istiod took it over", got)
	}
}

func serviceEntry(r *rig) {
	defer r.lead(nil)()
	r.ApplyYAML([]byte(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db, namespace: default}
spec: {hosts: [db.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`))
	d := r.affect("ServiceEntry", "db", 1, nil, "a")
	r.says("ServiceEntry", "networking.istio.io/v1", "db", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	r.quiet(d)
	r.affect("ServiceEntry", "db", 1, nil)
	r.says("ServiceEntry", "networking.istio.io/v1", "db", ext.ConditionAffected, "")
}

func leftover(r *rig) {
	end := r.lead(nil)
	r.Apply(gateway("leftover"), service("leftover"))
	r.affect("Gateway", "leftover", 1, nil, "a")
	r.affect("Service", "leftover", 0, nil, "a")
	r.says("Gateway", "gateway.networking.k8s.io/v1", "leftover", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	r.says("Service", "v1", "leftover", ext.ConditionAffected, "True PluginsAttached: 1 plugin is attached: WasmPlugin default/a")
	end()
	r.world.mu.Lock()
	clear(r.world.targets)
	r.world.mu.Unlock()
	defer r.lead(nil)()
	r.says("Gateway", "gateway.networking.k8s.io/v1", "leftover", ext.ConditionAffected, "")
	r.says("Service", "v1", "leftover", ext.ConditionAffected, "")
}
