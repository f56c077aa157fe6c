package store

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// WaypointLabel is what the use-waypoint labels of one object say.
type WaypointLabel struct {
	// Set tells whether the object speaks at all; if not, its Namespace does.
	Set bool
	// None is the opt-out: no waypoint, and the Namespace is not asked.
	None bool
	// Gateway is the waypoint otherwise.
	Gateway types.NamespacedName
}

// ParseWaypointLabel reads istio.io/use-waypoint and istio.io/use-waypoint-namespace from the labels of a Service,
// ServiceEntry or Namespace; namespace is where the waypoint is without the second label. The second label alone means
// nothing, as in Istio. An empty value names no Gateway at all, and is a label none the less, as for Istio's binder: the mesh
// goes past waypoints then, whatever the Namespace says. "none" is read in any case: it could never name a Gateway.
func ParseWaypointLabel(labels map[string]string, namespace string) WaypointLabel {
	name, set := labels[extv1.LabelUseWaypoint]
	switch {
	case !set:
		return WaypointLabel{}
	case strings.EqualFold(name, "none"):
		return WaypointLabel{Set: true, None: true}
	}
	if override, set := labels[extv1.LabelUseWaypointNamespace]; set {
		namespace = override
	}
	return WaypointLabel{Set: true, Gateway: types.NamespacedName{Namespace: namespace, Name: name}}
}

func waypointKeys(labels map[string]string, namespace string) []types.NamespacedName {
	label := ParseWaypointLabel(labels, namespace)
	if !label.Set || label.None {
		return nil
	}
	return []types.NamespacedName{label.Gateway}
}
