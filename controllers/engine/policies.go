package engine

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// unenforcedAt are the Istio policies that a Gateway of ours is expected to enforce and does not. Somebody else's proxies may
// well enforce them.
func (e *Engine) unenforcedAt(name types.NamespacedName) []model.Key {
	if gw := e.store.Gateway(name); gw == nil || !e.managed(gw) {
		return nil
	}
	return e.tracker.Unenforced(name)
}

// noteUnenforced marks the Gateways that a batch gave other such policies, and says so at once: who believes that a policy acts
// must not have to look for the opposite.
func (e *Engine) noteUnenforced(changes attach.Changes) {
	for _, name := range slices.Concat(changes.Unenforced, changes.Gateways) {
		before, now := e.unenforced[name], e.unenforcedAt(name)
		if slices.Equal(before, now) {
			continue
		}
		e.status.gateways[name] = struct{}{}
		if len(now) == 0 {
			delete(e.unenforced, name)
			e.log.Info("no Istio policy is left that this gateway does not enforce", "gateway", name.String())
			continue
		}
		e.unenforced[name] = now
		list := make([]string, 0, len(now))
		for _, key := range now {
			list = append(list, key.String())
		}
		e.log.Warn("Istio policies are not enforced at this gateway, whose proxies are stock Envoys", "gateway", name.String(), "policies", list)
	}
}
