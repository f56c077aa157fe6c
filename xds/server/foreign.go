package server

import (
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// maxForeign bounds how many foreign names of a stream are told one by one.
const maxForeign = 100

// missing notes a slot that the gateway does not have. It is not answered. One of another gateway is no mishap: somebody
// wants to know what is not his. One of an external proxy comes to be by being asked for.
func (t *slotTable) missing(name string) {
	n, err := names.ParseSlot(name)
	workload := model.IsWorkload(t.s.gateway)
	if err == nil && workload && n.External && n.Kind != names.KindPrefetch {
		t.s.server.opts.Hooks.wanted(t.s.gateway, n)
		return
	}
	if err != nil || !workload && !n.External && n.Scope.Gateway == t.s.gateway {
		t.s.log.Debug("proxy asks for a slot that its gateway does not have", "slot", name)
		return
	}
	if t.foreign[name] || len(t.foreign) >= maxForeign {
		return
	}
	if t.foreign == nil {
		t.foreign = map[string]bool{}
	}
	t.foreign[name] = true
	t.s.server.opts.Hooks.foreign()
	t.s.log.Warn("proxy asks for a slot of another gateway, and gets no answer", "slot", name, "node", t.s.node)
}
