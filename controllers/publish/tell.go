package publish

import (
	"slices"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// maxNote is the length limit of an Event's note, in bytes (events.k8s.io/v1).
const maxNote = 1024

// onTheWay are reasons of a condition that is False because something is still going on: no warning, and nothing to tell
// of an object that has no status yet.
var onTheWay = []string{ext.ReasonReconciling, ext.ReasonFetching, ext.ReasonModuleMissing}

// tell records an Event for each of Accepted, ResolvedRefs and Programmed whose status or reason changed. A change of the
// message alone, such as a count, is none; and neither is a condition that went because another one says why.
func (r *term) tell(obj runtime.Object, before, now []metav1.Condition) {
	for _, kind := range []string{ext.ConditionAccepted, ext.ConditionResolvedRefs, ext.ConditionProgrammed} {
		old, c := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(now, kind)
		waiting := c != nil && slices.Contains(onTheWay, c.Reason)
		switch {
		case c == nil:
		case old == nil && waiting:
		case old != nil && old.Status == c.Status && old.Reason == c.Reason:
		default:
			severity := corev1.EventTypeWarning
			if c.Status == metav1.ConditionTrue || waiting {
				severity = corev1.EventTypeNormal
			}
			r.opts.Recorder.Eventf(obj, nil, severity, c.Reason, kind, "%s", cut(kind+" is "+string(c.Status)+": "+c.Message))
		}
	}
}

// cut shortens a note to what the API takes, between characters.
func cut(s string) string {
	if len(s) <= maxNote {
		return s
	}
	end := maxNote - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
