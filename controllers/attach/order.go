package attach

import (
	"cmp"
	"math"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Compare is the order in which plugins run: phase; priority, highest first, absent after every number (as istiod's
// code does, not as its documentation says); older first; namespace; name; kind. It is total: only one and the same
// plugin compares equal.
func Compare(a, b *model.Plugin) int {
	return cmp.Or(
		cmp.Compare(a.Phase.Index(), b.Phase.Index()),
		cmp.Compare(priority(b), priority(a)),
		a.Created.Compare(b.Created),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Kind, b.Kind),
	)
}

// priority is wider than the API's int32, so that an absent one is lower than the lowest number.
func priority(p *model.Plugin) int64 {
	if p.Priority == nil {
		return math.MinInt64
	}
	return int64(*p.Priority)
}

// arrange puts plugins, which must be in order, into their phases. NETWORK plugins beyond model.NetworkSlots are left
// out.
func arrange(plugins []*model.Plugin) (set model.PluginSet, left []*model.Plugin) {
	slots := model.NetworkSlots
	for _, p := range plugins {
		phase := p.Phase.Index()
		switch {
		case p.Type != model.TypeNetwork:
			set.HTTP[phase] = append(set.HTTP[phase], p)
		case slots > 0:
			slots--
			set.Network[phase] = append(set.Network[phase], p)
		default:
			left = append(left, p)
		}
	}
	return set, left
}
