package status

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Dirty names objects whose status may have changed.
type Dirty struct {
	Plugins  []model.Key
	Gateways []types.NamespacedName
	Services []model.ServiceKey
	// Routes are HTTPRoutes.
	Routes []types.NamespacedName
}

// TargetKey names an object that plugins are attached to. Kind is Gateway, Service or ServiceEntry.
type TargetKey struct {
	Kind string
	types.NamespacedName
}

// TargetInput is everything that our conditions on a target depend on.
type TargetInput struct {
	// Generation is the target's metadata.generation; Services have none (0).
	Generation int64
	// Plugins are the accepted plugins that affect the target, in order of first effect, each once.
	Plugins []model.Key
	// Unenforced are the Istio policies that concern the target, a Gateway, and that its proxies, being stock Envoys, do not
	// enforce; each once.
	Unenforced []model.Key
	// Waypoint is what istio.io/use-waypoint of a Service or ServiceEntry led to. It is nil without the label, and where
	// the condition is not ours to write.
	Waypoint *WaypointBinding
}

// WaypointBinding is the waypoint that an object asks for. Reason and Message say why it is not Bound.
type WaypointBinding struct {
	Gateway types.NamespacedName
	Bound   bool
	Reason  string
	Message string
}

// TargetConditions are our conditions on a target: wasmpoint.dev/WasmPluginAffected (GEP-713) while plugins are attached
// to it, wasmpoint.dev/PoliciesEnforced while there are Istio policies that are not, and Istio's istio.io/WaypointBound. What is not in the result is to be removed. previous are the target's
// conditions now; they keep transition times.
//
// The list of names is sorted and bounded: an edit of a plugin, its order included, must not write all its targets.
func TargetConditions(in TargetInput, previous []metav1.Condition, now time.Time) []metav1.Condition {
	var out []metav1.Condition
	if len(in.Plugins) > 0 {
		out = append(out, condition(in.Generation, now, previous, statement{ext.ConditionAffected,
			answer{true, ext.ReasonPluginsAttached, attached(in.Plugins)}}))
	}
	if len(in.Unenforced) > 0 {
		out = append(out, condition(in.Generation, now, previous, statement{ext.ConditionPoliciesEnforced,
			answer{false, ext.ReasonNotSupported, unenforced(in.Unenforced)}}))
	}
	if w := in.Waypoint; w != nil {
		a := answer{w.Bound, w.Reason, w.Message}
		if w.Reason == ext.ReasonWaypointNotFound {
			a.reason = ext.ReasonWaypointIsNotReady // Istio's word for both
		}
		if w.Bound {
			a = answer{true, ext.ReasonWaypointAccepted, "Successfully attached to waypoint " + w.Gateway.String()}
		}
		// Istio leaves the generation of this one out.
		out = append(out, condition(0, now, previous, statement{ext.ConditionWaypointBound, a}))
	}
	return out
}

// attached is "3 plugins are attached: WasmPlugin default/a, …".
func attached(plugins []model.Key) string {
	if len(plugins) == 1 {
		return "1 plugin is attached: " + plugins[0].String()
	}
	return fmt.Sprintf("%d plugins are attached: %s", len(plugins), sorted(plugins))
}

// unenforced is "1 Istio policy is not enforced here: AuthorizationPolicy default/a; …".
func unenforced(policies []model.Key) string {
	what := "1 Istio policy is not enforced here: "
	if n := len(policies); n > 1 {
		what = fmt.Sprintf("%d Istio policies are not enforced here: ", n)
	}
	return what + sorted(policies) + "; these proxies are stock Envoys: attach a plugin that does the same, or use a waypoint of Istio's own class"
}

// sorted names a few objects, by namespace.
func sorted(keys []model.Key) string {
	keys = slices.SortedFunc(slices.Values(keys), model.Key.Compare)
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.String())
	}
	return few(names, ", ")
}
