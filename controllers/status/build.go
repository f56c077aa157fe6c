package status

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// MaxAncestors is the length limit of status.ancestors (gateway.networking.k8s.io/v1 PolicyStatus).
const MaxAncestors = 16

// Build is the status that a plugin should have: one ancestor per declared target (or per GatewayClass reached), and a
// summary for columns and kubectl wait. Accepted is always there; ResolvedRefs and Programmed only where the plugin is
// accepted (GEP-713). Entries of other controllers, conditions of other owners, and conditions that observed a newer
// generation than Input.Plugin's are kept as they are.
func Build(in Input) Status {
	all := outcomes(in)
	mine := make([]gatewayv1.PolicyAncestorStatus, 0, len(all))
	for _, o := range all {
		a := gatewayv1.PolicyAncestorStatus{AncestorRef: ancestorRef(o.target), ControllerName: ext.ControllerName}
		var old []metav1.Condition
		for _, p := range in.Previous.Ancestors {
			if sameAncestor(p, a) {
				old = p.Conditions
				break
			}
		}
		a.Conditions = conditions(in, old, o.accepted, resolved(in), o.programmed)
		mine = append(mine, a)
	}
	ancestors, left := mergeAncestors(in.Previous.Ancestors, mine)
	accepted, programmed := summary(in, all)
	if left > 0 {
		accepted.message += fmt.Sprintf("; %d targets have no room in status.ancestors (%d entries at most)", left, MaxAncestors)
	}
	return Status{
		Ancestors:  ancestors,
		Conditions: conditions(in, in.Previous.Conditions, accepted, resolved(in), programmed),
	}
}

// ancestorRef writes group and namespace out even where they are the default, because a nil group means Gateway API's.
func ancestorRef(t model.TargetRef) gatewayv1.ParentReference {
	group, kind := gatewayv1.Group(t.Group), gatewayv1.Kind(t.Kind)
	ref := gatewayv1.ParentReference{Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(t.Name)}
	if t.Namespace != "" {
		ns := gatewayv1.Namespace(t.Namespace)
		ref.Namespace = &ns
	}
	return ref
}

// sameAncestor compares the key of status.ancestors: reference and controller.
func sameAncestor(a, b gatewayv1.PolicyAncestorStatus) bool {
	return a.ControllerName == b.ControllerName && a.AncestorRef.Name == b.AncestorRef.Name &&
		equal(a.AncestorRef.Group, b.AncestorRef.Group) && equal(a.AncestorRef.Kind, b.AncestorRef.Kind) &&
		equal(a.AncestorRef.Namespace, b.AncestorRef.Namespace) && equal(a.AncestorRef.SectionName, b.AncestorRef.SectionName) &&
		equal(a.AncestorRef.Port, b.AncestorRef.Port)
}

func equal[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// mergeAncestors puts ours after the entries of others, which keep their order. When there is no room for all of ours,
// those that are not fine go in first; left counts the ones without room.
func mergeAncestors(previous, mine []gatewayv1.PolicyAncestorStatus) (merged []gatewayv1.PolicyAncestorStatus, left int) {
	for _, p := range previous {
		if p.ControllerName != ext.ControllerName {
			merged = append(merged, p)
		}
	}
	room := max(0, MaxAncestors-len(merged))
	if len(mine) <= room {
		return append(merged, mine...), 0
	}
	bad := func(a gatewayv1.PolicyAncestorStatus) int {
		if slices.ContainsFunc(a.Conditions, func(c metav1.Condition) bool { return c.Status != metav1.ConditionTrue }) {
			return 0
		}
		return 1
	}
	sorted := slices.Clone(mine)
	slices.SortStableFunc(sorted, func(a, b gatewayv1.PolicyAncestorStatus) int { return cmp.Compare(bad(a), bad(b)) })
	return append(merged, sorted[:room]...), len(mine) - room
}

// conditions are the three of ours in their fixed order, after the conditions of other owners.
func conditions(in Input, old []metav1.Condition, accepted, resolved, programmed answer) []metav1.Condition {
	var out []metav1.Condition
	for _, c := range old {
		if c.Type != ext.ConditionAccepted && c.Type != ext.ConditionResolvedRefs && c.Type != ext.ConditionProgrammed {
			out = append(out, c)
		}
	}
	out = append(out, condition(in, old, ext.ConditionAccepted, accepted))
	if accepted.ok || programmed.reason != "" {
		out = append(out, condition(in, old, ext.ConditionResolvedRefs, resolved),
			condition(in, old, ext.ConditionProgrammed, programmed))
	}
	return out
}

// condition gives an answer its generation and its time. The time changes only with the status.
func condition(in Input, old []metav1.Condition, kind string, a answer) metav1.Condition {
	c := metav1.Condition{
		Type:               kind,
		Status:             metav1.ConditionFalse,
		ObservedGeneration: in.Plugin.Generation,
		LastTransitionTime: metav1.NewTime(in.Now.UTC().Truncate(1e9)),
		Reason:             a.reason,
		Message:            a.message,
	}
	if a.ok {
		c.Status = metav1.ConditionTrue
	}
	for _, o := range old {
		switch {
		case o.Type != kind:
		case o.ObservedGeneration > c.ObservedGeneration:
			return o // somebody knows a newer object than we do
		case o.Status == c.Status && !o.LastTransitionTime.IsZero():
			c.LastTransitionTime = o.LastTransitionTime
		}
	}
	return c
}
