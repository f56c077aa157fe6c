package routes

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// condition makes a condition without a time: the one who writes it knows whether it changed.
func condition[T, R ~string](kind T, ok bool, reason R, generation int64, format string, args ...any) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{
		Type: string(kind), Status: status, Reason: string(reason), ObservedGeneration: generation,
		Message: fmt.Sprintf(format, args...),
	}
}

// isTrue tells whether the condition of the type stands and is true.
func isTrue[T ~string](conditions []metav1.Condition, kind T) bool {
	for _, c := range conditions {
		if c.Type == string(kind) {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}
