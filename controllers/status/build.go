package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// MaxAncestors is the length limit of status.ancestors (gateway.networking.k8s.io/v1 PolicyStatus).
const MaxAncestors = 16

// Condition types that are ours: in an entry of status.ancestors, and in status.conditions.
var (
	ancestorTypes = []string{ext.ConditionAccepted, ext.ConditionResolvedRefs, ext.ConditionProgrammed}
	summaryTypes  = append(slices.Clone(ancestorTypes), ext.ConditionReady, ext.ConditionWaypointAccepted)
)

// Build is the status that a plugin should have: one ancestor per declared target (or per GatewayClass reached), and a
// summary for columns and kubectl wait. Accepted is always there; ResolvedRefs and Programmed only where the plugin is
// attached (GEP-713). Entries of other controllers, conditions of other owners, and what observed a newer generation
// than the Input's are kept as they are.
func Build(in Input) Status {
	all, generation := outcomes(in), in.generation()
	module := resolved(in)
	if in.Superseded != "" {
		module.message = inForce(in) + module.message
	}
	mine := make([]gatewayv1.PolicyAncestorStatus, 0, len(all))
	for _, o := range all {
		a := gatewayv1.PolicyAncestorStatus{AncestorRef: ancestorRef(o.target), ControllerName: ext.ControllerName}
		var old []metav1.Condition
		for _, p := range in.Previous.Ancestors {
			if SameAncestor(p, a) {
				old = p.Conditions
				break
			}
		}
		a.Conditions = conditions(in, old, ancestorTypes, three(o.accepted, module, o.programmed))
		mine = append(mine, a)
	}
	ancestors, left := mergeAncestors(in.Previous.Ancestors, mine, generation)
	accepted, programmed := summary(in, all)
	if left > 0 {
		accepted.message += fmt.Sprintf("; %d targets have no room in status.ancestors (%d entries at most)", left, MaxAncestors)
	}
	say := three(accepted, module, programmed)
	say = append(say, statement{ext.ConditionReady, readiness(in, say)})
	if w, concerns := waypointAccepted(all); concerns {
		say = append(say, statement{ext.ConditionWaypointAccepted, w})
	}
	return Status{
		Ancestors:          ancestors,
		Conditions:         conditions(in, in.Previous.Conditions, summaryTypes, say),
		ObservedGeneration: max(generation, in.Previous.ObservedGeneration),
		Summary:            columns(in, all),
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

// SameAncestor compares the key of status.ancestors: reference and controller.
func SameAncestor(a, b gatewayv1.PolicyAncestorStatus) bool {
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
// those that are not fine go in first; left counts the ones without room. An entry of ours that observed a newer
// generation speaks of a target that we do not know yet: it stays.
func mergeAncestors(previous, mine []gatewayv1.PolicyAncestorStatus, generation int64) (merged []gatewayv1.PolicyAncestorStatus, left int) {
	for _, p := range previous {
		if p.ControllerName != ext.ControllerName {
			merged = append(merged, p)
		}
	}
	for _, p := range previous {
		if p.ControllerName == ext.ControllerName && isNewer(p.Conditions, generation) &&
			!slices.ContainsFunc(mine, func(a gatewayv1.PolicyAncestorStatus) bool { return SameAncestor(a, p) }) {
			mine = append(mine, p)
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

func isNewer(list []metav1.Condition, generation int64) bool {
	return slices.ContainsFunc(list, func(c metav1.Condition) bool {
		return c.ObservedGeneration > generation && slices.Contains(ancestorTypes, c.Type)
	})
}

// statement is an answer with the condition that it goes to.
type statement struct {
	kind string
	answer
}

// three are Accepted and, where the plugin is attached, ResolvedRefs and Programmed.
func three(accepted, resolved, programmed answer) []statement {
	out := []statement{{ext.ConditionAccepted, accepted}}
	if accepted.ok || programmed.reason != "" {
		out = append(out, statement{ext.ConditionResolvedRefs, resolved}, statement{ext.ConditionProgrammed, programmed})
	}
	return out
}

// conditions are the statements in their order, after the conditions that are none of our types.
func conditions(in Input, old []metav1.Condition, own []string, say []statement) []metav1.Condition {
	var out []metav1.Condition
	for _, c := range old {
		said := slices.ContainsFunc(say, func(s statement) bool { return s.kind == c.Type })
		if !slices.Contains(own, c.Type) || !said && c.ObservedGeneration > in.generation() {
			out = append(out, c)
		}
	}
	for _, s := range say {
		out = append(out, condition(in.generation(), in.Now, old, s))
	}
	return out
}

// condition gives a statement its generation and its time. The time changes only with the status.
func condition(generation int64, now time.Time, old []metav1.Condition, s statement) metav1.Condition {
	c := metav1.Condition{
		Type:               s.kind,
		Status:             metav1.ConditionFalse,
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now.UTC().Truncate(time.Second)),
		Reason:             s.reason,
		Message:            s.message,
	}
	if s.ok {
		c.Status = metav1.ConditionTrue
	}
	for _, o := range old {
		switch {
		case o.Type != s.kind:
		case o.ObservedGeneration > c.ObservedGeneration:
			return o // somebody knows a newer object than we do
		case o.Status == c.Status && !o.LastTransitionTime.IsZero():
			c.LastTransitionTime = o.LastTransitionTime
		}
	}
	return c
}
