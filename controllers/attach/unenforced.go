package attach

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Unenforced are the Istio policies that target a Gateway, its class (from the root namespace, as Istio has it) or a Service that
// is bound to it: Istio's own waypoint would enforce them, and stock Envoy does not. By namespace, name, kind.
func (t *Tracker) Unenforced(gateway types.NamespacedName) []model.Key {
	state := t.gateways[gateway]
	if state == nil || len(t.store.MeshPolicies()) == 0 {
		return nil
	}
	var out []model.Key
	add := func(target model.TargetRef) {
		for _, p := range t.store.PoliciesTargeting(target) {
			if target.Kind != kindGatewayClass || p.Namespace == t.rules.Root() {
				out = append(out, p.Key)
			}
		}
	}
	add(GatewayTarget(gateway))
	add(ClassTarget(string(state.object.Spec.GatewayClassName)))
	for _, service := range state.services {
		add(ServiceTarget(service))
	}
	slices.SortFunc(out, model.Key.Compare)
	return slices.Compact(out)
}

// refreshUnenforced finds the Gateways at which other policies than before may count. It comes after the Services: where their
// binding changed, the waypoints are among the changed Gateways anyhow.
func (t *Tracker) refreshUnenforced(d *dirt) {
	for target := range d.policyTargets {
		switch target.Kind {
		case kindGateway:
			d.unenforced.add(types.NamespacedName{Namespace: target.Namespace, Name: target.Name})
		case kindGatewayClass:
			for _, gateway := range t.store.GatewaysOfClass(target.Name) {
				d.unenforced.add(nameOf(gateway))
			}
		default:
			key := model.ServiceKey{Kind: target.Kind, Namespace: target.Namespace, Name: target.Name}
			if b := t.Binding(key); b.Bound() {
				d.unenforced.add(b.Waypoint)
			}
		}
	}
}
