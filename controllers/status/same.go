package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// Same tells whether two statuses of one plugin say the same in our parts. Transition times are left out, and so is
// where our parts stand among those of others: another controller may order the list in its own way, and two that put
// it right for each other would never end.
func Same(a, b Status) bool {
	return a.ObservedGeneration == b.ObservedGeneration && a.Summary == b.Summary &&
		SameConditions(a.Conditions, b.Conditions, summaryTypes...) &&
		slices.EqualFunc(ownEntries(a), ownEntries(b), func(x, y gatewayv1.PolicyAncestorStatus) bool {
			return equality.Semantic.DeepEqual(x.AncestorRef, y.AncestorRef) &&
				SameConditions(x.Conditions, y.Conditions, ancestorTypes...)
		})
}

// SameConditions tells whether two lists say the same in the conditions of the given types, transition times left out.
func SameConditions(a, b []metav1.Condition, kinds ...string) bool {
	own := func(list []metav1.Condition) []metav1.Condition {
		return slices.DeleteFunc(slices.Clone(list), func(c metav1.Condition) bool { return !slices.Contains(kinds, c.Type) })
	}
	return slices.EqualFunc(own(a), own(b), func(x, y metav1.Condition) bool {
		x.LastTransitionTime, y.LastTransitionTime = metav1.Time{}, metav1.Time{}
		return x == y
	})
}

// HasOthers tells whether a status holds anything that other writers own in the two lists that we write as a whole.
func HasOthers(s Status) bool {
	other := func(kinds []string) func(metav1.Condition) bool {
		return func(c metav1.Condition) bool { return !slices.Contains(kinds, c.Type) }
	}
	return slices.ContainsFunc(s.Conditions, other(summaryTypes)) ||
		slices.ContainsFunc(s.Ancestors, func(a gatewayv1.PolicyAncestorStatus) bool {
			return a.ControllerName != ext.ControllerName || slices.ContainsFunc(a.Conditions, other(ancestorTypes))
		})
}

func ownEntries(s Status) []gatewayv1.PolicyAncestorStatus {
	return slices.DeleteFunc(slices.Clone(s.Ancestors), func(a gatewayv1.PolicyAncestorStatus) bool {
		return a.ControllerName != ext.ControllerName
	})
}
