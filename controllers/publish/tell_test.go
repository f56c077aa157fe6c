package publish

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// recorder keeps Events as "Type reason action: note".
type recorder struct{ lines []string }

func (r *recorder) Eventf(_, _ runtime.Object, severity, reason, action, note string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf("%s %s %s: %s", severity, reason, action, fmt.Sprintf(note, args...)))
}

// conditions reads "Type=Status Reason" words, separated by commas.
func conditions(text string) []metav1.Condition {
	var out []metav1.Condition
	for _, one := range strings.Split(text, ", ") {
		var c metav1.Condition
		kind, rest, ok := strings.Cut(one, "=")
		if !ok {
			continue
		}
		c.Type = kind
		state, reason, _ := strings.Cut(rest, " ")
		c.Status, c.Reason, c.Message = metav1.ConditionStatus(state), reason, "m"
		out = append(out, c)
	}
	return out
}

func TestATransitionIsOneEvent(t *testing.T) {
	cases := []struct{ name, before, now, want string }{
		{"a new plugin", "", "Accepted=True Accepted, ResolvedRefs=False Fetching, Programmed=False ModuleMissing", "Normal Accepted Accepted: Accepted is True: m"},
		{"a new plugin, its module here", "", "Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=False Reconciling",
			"Normal Accepted Accepted: Accepted is True: m|Normal ResolvedRefs ResolvedRefs: ResolvedRefs is True: m"},
		{"a new plugin that is attached nowhere", "", "Accepted=False TargetNotFound", "Warning TargetNotFound Accepted: Accepted is False: m"},
		{"nothing", "Accepted=True Accepted, Programmed=True Programmed", "Accepted=True Accepted, Programmed=True Programmed", ""},
		{"it runs", "Programmed=False Reconciling", "Programmed=True Programmed", "Normal Programmed Programmed: Programmed is True: m"},
		{"it is edited", "Programmed=True Programmed", "Programmed=False Reconciling", "Normal Reconciling Programmed: Programmed is False: m"},
		{"it is refused", "Programmed=False Reconciling", "Programmed=False Refused", "Warning Refused Programmed: Programmed is False: m"},
		{"its target goes", "Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=True Programmed", "Accepted=False TargetNotFound",
			"Warning TargetNotFound Accepted: Accepted is False: m"},
		{"Ready follows from the others", "Ready=True Ready", "Ready=False Refused", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{}
			r := &term{Publisher: New(Options{Recorder: rec})}
			r.tell(nil, conditions(c.before), conditions(c.now))
			if got := strings.Join(rec.lines, "|"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestANoteIsCutToWhatTheAPITakes(t *testing.T) {
	if got := cut(strings.Repeat("ä", 600)); len(got) > maxNote || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%d bytes, end %q", len(got), got[len(got)-6:])
	}
	if got := cut("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}
