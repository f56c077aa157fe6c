package engine

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// setPlugin takes a new or changed plugin in.
func (e *Engine) setPlugin(p *model.Plugin) {
	s := e.plugins[p.Key]
	if s == nil {
		s = &pluginState{good: e.keptOf(p), scopes: map[model.Scope]bool{}}
		delete(e.kept, p.Key)
		e.plugins[p.Key] = s
		e.owners[p.String()] = p.Key
	}
	s.plugin, s.refused = p, false
	if p.Wasm == nil || p.Invalid != "" {
		e.opts.Modules.Release(p.String())
		e.resolve(s, modules.State{})
		return
	}
	src, refused := e.source(p)
	if refused != nil {
		e.opts.Modules.Release(p.String())
		s.refused, s.waited = true, true // nothing is on its way: the last good configuration or the fail strategy acts at once
		e.resolve(s, *refused)
		return
	}
	e.resolve(s, e.opts.Modules.Want(p.String(), src))
}

// dropPlugin forgets a deleted plugin; the rules take it out of its places.
func (e *Engine) dropPlugin(k model.Key) {
	s := e.plugins[k]
	if s == nil {
		return
	}
	delete(e.kept, k)
	e.opts.Modules.Release(k.String())
	if s.wanted != nil {
		delete(e.variants, s.wanted.Hash)
	}
	e.goodChanged = e.goodChanged || len(s.good) > 0
	delete(e.waiting, s)
	delete(e.owners, k.String())
	delete(e.plugins, k)
	for scope := range s.scopes {
		if _, is := e.leaving[scope]; is { // the rules do not know this place any more
			e.dirty[scope] = true
		}
	}
	e.markTargetKeys(s.affects)
}

func (e *Engine) moduleChanged(owner string) {
	if s := e.plugins[e.owners[owner]]; s != nil && !s.refused {
		e.changed = true
		e.markKey(s.plugin.Key)
		e.resolve(s, e.opts.Modules.State(owner))
	}
}

func (e *Engine) resolve(s *pluginState, m modules.State) {
	e.promoteRunning(s) // before something else is wanted: the word of ProxyRuns may still be in the queue
	if s.wanted != nil {
		delete(e.variants, s.wanted.Hash)
	}
	changed := s.resolve(m, e.opts.Now(), e.opts.WaitForModule)
	if s.wanted != nil {
		e.variants[s.wanted.Hash] = s.plugin.Key
	}
	e.promoteRunning(s) // wanted again, and some proxy never left it: ProxyRuns is not called for that
	delete(e.waiting, s)
	if !s.pendingUntil.IsZero() {
		e.waiting[s] = true
	}
	if changed {
		e.markPlugin(s)
	}
}

// markPlugin marks every place in which a plugin stands.
func (e *Engine) markPlugin(s *pluginState) {
	for scope := range s.scopes {
		e.dirty[scope] = true
	}
}

// promoteRunning makes the wanted variant a good one if some proxy runs it.
func (e *Engine) promoteRunning(s *pluginState) {
	if s.wanted != nil && e.opts.Registry.Running(s.wanted.Hash) && s.promote() {
		e.goodChanged = true
	}
}

// proxyRuns promotes the plugin whose wanted variant a proxy runs for the first time.
func (e *Engine) proxyRuns(variant string) {
	s := e.plugins[e.variants[variant]]
	if s == nil || s.wanted == nil || s.wanted.Hash != variant {
		return
	}
	if s.promote() {
		e.goodChanged, e.changed = true, true
		e.markKey(s.plugin.Key)
		e.markPlugin(s)
	}
}

// Learn takes in what another replica found to be good: a proxy that starts here needs it when the module is nowhere to be had.
func (e *Engine) Learn(good map[model.Key][]*build.Variant) {
	e.post(func() {
		for k, variants := range good {
			s := e.plugins[k]
			if s == nil {
				e.kept[k] = variants
				continue
			}
			if s.learn(sameObject(variants, s.plugin.UID)) {
				e.goodChanged = true
				e.resolve(s, s.module) // what is good ends the waiting for a first module
				e.markPlugin(s)
				e.markKey(k)
			}
		}
	})
}

// saveEvery is the least time between two times that the last good variants are saved: that takes a look at every plugin, and
// each change of a plugin makes another variant a good one.
const saveEvery = 500 * time.Millisecond

// saveDue is how long it is until the last good variants are to be saved.
func (e *Engine) saveDue() time.Duration {
	if !e.goodChanged {
		return time.Hour
	}
	return max(e.savePause-time.Since(e.savedGood), 0)
}

// saveGood has the last good variants written, and pins their modules.
func (e *Engine) saveGood() {
	e.goodChanged, e.savedGood = false, time.Now()
	good := map[model.Key][]*build.Variant{}
	for k, list := range e.kept {
		good[k] = list
	}
	for k, s := range e.plugins {
		if len(s.good) > 0 {
			good[k] = s.good
		}
	}
	var digests []string
	for _, list := range good {
		for _, v := range list {
			if v.Digest != "" {
				digests = append(digests, v.Digest)
			}
		}
	}
	e.opts.Modules.Pin(digests)
	e.saver.save(good)
}

// nextExpiry is how long it is until a plugin's waiting time ends, or a place's grace.
func (e *Engine) nextExpiry() time.Duration {
	due, now := time.Hour, e.opts.Now()
	for _, end := range e.leaving {
		due = min(due, max(end.Sub(now), 0))
	}
	for s := range e.waiting {
		due = min(due, max(s.pendingUntil.Sub(now), 0))
	}
	return due
}

func (e *Engine) expirePending() {
	now := e.opts.Now()
	for s := range e.waiting {
		if s.expire(now) {
			delete(e.waiting, s)
			e.changed = true
			e.markKey(s.plugin.Key)
			e.markPlugin(s)
		}
	}
}

// setPlace takes a place with its plugins in, or out. It tells whether the place itself is another than before, so that
// its listener has to be built again; a change of its plugins alone never does that.
func (e *Engine) setPlace(c attach.PlaceChange) (rebuild bool) {
	scope := c.Place.Scope
	if c.Kind == attach.PlaceRemoved {
		return !e.lingers(scope) && e.dropPlace(scope)
	}
	delete(e.leaving, scope)
	old, had := e.clearPlace(scope)
	e.places[scope] = attach.PlaceResult{Place: c.Place, Plugins: c.Plugins}
	each(c.Plugins, func(p *model.Plugin) {
		if s := e.plugins[p.Key]; s != nil {
			s.scopes[scope] = true
		}
	})
	e.dirty[scope] = true
	return !had || old.Place.HTTP != c.Place.HTTP || old.Place.Network != c.Place.Network
}

// dropPlace takes a place out; it tells whether it was there.
func (e *Engine) dropPlace(scope model.Scope) bool {
	_, had := e.clearPlace(scope)
	delete(e.places, scope)
	return had
}

// clearPlace takes the plugins out of a place and its slots out of the cache; those that stay are built again.
func (e *Engine) clearPlace(scope model.Scope) (old attach.PlaceResult, had bool) {
	old, had = e.places[scope]
	if !had {
		return old, false
	}
	each(old.Plugins, func(p *model.Plugin) {
		if s := e.plugins[p.Key]; s != nil {
			delete(s.scopes, scope)
		}
	})
	for _, name := range slotNames(old.Place) {
		e.change(scope.Gateway).Slots[name] = nil
	}
	return old, true
}

// slotNames are the slots that stand in the listener of a place.
func slotNames(p model.Place) []string {
	var out []string
	if p.HTTP {
		for _, ph := range model.Phases {
			out = append(out, names.Slot(p.Scope, ph))
		}
	}
	if p.Network {
		for i := range model.NetworkSlots {
			out = append(out, names.NetworkSlot(p.Scope, i))
		}
	}
	return out
}

// buildSlots builds all slots of a place; equal ones stop in the cache.
func (e *Engine) buildSlots(scope model.Scope) {
	result, ok := e.places[scope]
	if !ok {
		return
	}
	place, set := result.Place, result.Plugins
	slots := e.change(scope.Gateway).Slots
	if place.HTTP {
		for i, ph := range model.Phases {
			name := names.Slot(scope, ph)
			slots[name] = &build.Slot{Name: name, Entries: e.entries(scope, set.HTTP[i])}
		}
	}
	if !place.Network {
		return
	}
	network := networkOrder(set)
	for i := range model.NetworkSlots {
		name := names.NetworkSlot(scope, i)
		slot := &build.Slot{Name: name, Network: true}
		if i < len(network) {
			slot.Entries = e.entries(scope, network[i:i+1])
		}
		slots[name] = slot
	}
}

func (e *Engine) entries(scope model.Scope, plugins []*model.Plugin) []build.Entry {
	_, leaving := e.leaving[scope]
	var out []build.Entry
	for _, p := range plugins {
		if s := e.plugins[p.Key]; s != nil {
			out = append(out, s.entry(leaving, func(v *build.Variant) bool { return e.fits(p, v, scope.Gateway) }))
		}
	}
	return out
}

// fits tells whether a last good variant may stand in a plugin's place at a Gateway.
func (e *Engine) fits(p *model.Plugin, v *build.Variant, gateway types.NamespacedName) bool {
	if v.Network != (p.Type == model.TypeNetwork) || e.forbidden(v.Env) >= 0 {
		return false
	}
	if model.IsWorkload(gateway) {
		return true // it takes plugins of its own and the root namespace alone
	}
	gw := e.store.Gateway(gateway)
	if gw == nil {
		return false
	}
	hostEnv := slices.ContainsFunc(v.Env, func(env model.EnvVar) bool { return env.FromHost })
	return attach.MissingPermission(p.Namespace, v.Lua != "", hostEnv, gw, e.opts.Attach.Root()) == ""
}

// networkOrder is the NETWORK plugins of a place in the order of its network slots.
func networkOrder(set model.PluginSet) []*model.Plugin {
	var out []*model.Plugin
	for _, phase := range set.Network {
		out = append(out, phase...)
	}
	return out
}

func each(set model.PluginSet, f func(*model.Plugin)) {
	for i := range model.Phases {
		for _, p := range set.HTTP[i] {
			f(p)
		}
		for _, p := range set.Network[i] {
			f(p)
		}
	}
}
