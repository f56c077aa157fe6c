package attach

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// workloadState is what is kept of external proxies.
type workloadState struct {
	object   *model.Workload
	places   []model.Place
	revision uint64 // changes with the object
}

// refreshWorkloads computes the places of dirty workloads anew.
func (t *Tracker) refreshWorkloads(d *dirt) {
	for name := range d.workloads {
		object := t.store.Workload(name)
		was := t.workloads[name]
		var is *workloadState
		if object == nil {
			delete(t.workloads, name)
			t.forgetTallies(name)
		} else {
			t.revision++
			is = &workloadState{object: object, places: workloadPlaces(object), revision: t.revision}
			t.workloads[name] = is
		}
		if was != nil && is != nil && reflect.DeepEqual(was.object, is.object) {
			continue
		}
		for _, state := range []*workloadState{was, is} {
			if state == nil {
				continue
			}
			for _, place := range state.places {
				d.scopes.add(place.Scope)
			}
			t.judgeWorkload(state.object, d)
		}
	}
}

// judgeWorkload marks the plugins whose verdicts hold places of external proxies, and those that reach no proxy at all: why
// that is so may be another reason now.
func (t *Tracker) judgeWorkload(w *model.Workload, d *dirt) {
	for _, p := range t.rules.untargetedFor(w.Namespace) {
		verdicts := t.verdicts[p.Key]
		nothing := len(verdicts) == 1 && verdicts[0].Target == (model.TargetRef{})
		if nothing || selects(p.Selector, w.Labels) {
			d.judge(p)
		}
	}
}

// workloadTally takes a kept tally, as tallyAt does.
func (t *Tracker) workloadTally(j *judge, w *model.Workload) tally {
	state := t.workloads[w.NamespacedName()]
	return t.kept(j, w.NamespacedName(), state.revision, func() tally { return j.tallyOf(nil, slices.Values(state.places)) })
}

// forgetTallies drops what is kept of a Gateway or workload that is gone.
func (t *Tracker) forgetTallies(name types.NamespacedName) {
	for _, wide := range t.wide {
		delete(wide.at, name)
	}
}
