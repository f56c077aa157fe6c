package engine

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// statusMarks are the objects whose status may be another than before. A mark too many costs a comparison; one too few is a
// status that lies.
type statusMarks struct {
	plugins  map[model.Key]struct{}
	gateways map[types.NamespacedName]struct{}
	services map[model.ServiceKey]struct{}
	routes   map[types.NamespacedName]struct{}
}

func newStatusMarks() statusMarks {
	return statusMarks{
		plugins:  map[model.Key]struct{}{},
		gateways: map[types.NamespacedName]struct{}{},
		services: map[model.ServiceKey]struct{}{},
		routes:   map[types.NamespacedName]struct{}{},
	}
}

// ackInbox gathers what sessions report, so that a thousand acknowledgements of one change are one piece of work.
type ackInbox struct {
	mu      sync.Mutex
	changes map[acks.Change]struct{}
}

// ProxyChanged is for acks.Events.Changed; it may be called from any goroutine and does not block.
func (e *Engine) ProxyChanged(c acks.Change) {
	e.acks.mu.Lock()
	first := len(e.acks.changes) == 0
	if e.acks.changes == nil {
		e.acks.changes = map[acks.Change]struct{}{}
	}
	e.acks.changes[c] = struct{}{}
	e.acks.mu.Unlock()
	if first {
		e.post(e.takeAcks)
	}
}

func (e *Engine) takeAcks() {
	e.acks.mu.Lock()
	changes := e.acks.changes
	e.acks.changes = nil
	e.acks.mu.Unlock()
	e.changed = true
	for c := range changes {
		switch {
		case c.Variant != "":
			if key, wanted := e.variants[c.Variant]; wanted {
				e.markKey(key)
			}
		case c.Slot == "":
			e.proxiesChanged(c.Gateway)
		default:
			if n, err := names.ParseSlot(c.Slot); err == nil {
				n.Scope.Gateway = c.Gateway // the names of external proxies do not say it
				e.markPlace(n.Scope)
			}
		}
	}
}

func (e *Engine) markKey(k model.Key) { e.status.plugins[k] = struct{}{} }

// markPlace marks the plugins of a place.
func (e *Engine) markPlace(scope model.Scope) {
	each(e.places[scope].Plugins, func(p *model.Plugin) { e.markKey(p.Key) })
}

// markGateway marks a gateway and the plugins of all its places.
func (e *Engine) markGateway(gateway types.NamespacedName) {
	e.changed = true
	if !model.IsWorkload(gateway) {
		e.status.gateways[gateway] = struct{}{}
	}
	for place := range e.tracker.Places(gateway) {
		e.markPlace(place.Scope)
	}
}

// markChanges marks what a batch of events can have changed in any status.
func (e *Engine) markChanges(changes attach.Changes) {
	for _, key := range changes.Plugins {
		e.markKey(key)
		e.markTargets(key)
	}
	for _, key := range changes.PullSecrets {
		e.markKey(key)
	}
	for _, gateway := range changes.Gateways {
		e.markGateway(gateway)
		for place := range e.tracker.Places(gateway) {
			if s := place.Service; !s.IsZero() {
				e.status.services[s] = struct{}{} // the waypoint may have its first address
			}
		}
	}
	for _, service := range changes.Bindings {
		e.status.services[service] = struct{}{}
	}
	for _, gateway := range changes.Certificates {
		e.markGateway(gateway)
	}
	for _, service := range changes.Services {
		e.status.services[service] = struct{}{}
	}
	for _, place := range changes.Places {
		e.markPlace(place.Place.Scope)
		if s := place.Place.Service; !s.IsZero() {
			e.status.services[s] = struct{}{} // bound to another waypoint, or not any more
		}
	}
}

// markTargets marks the objects that a plugin affects now, and those that it affected before.
func (e *Engine) markTargets(key model.Key) {
	now := e.affects(key)
	if s := e.plugins[key]; s != nil {
		e.markTargetKeys(s.affects)
		s.affects = now
	}
	e.markTargetKeys(now)
}

func (e *Engine) markTargetKeys(list []status.TargetKey) {
	for _, t := range list {
		if t.Kind == string(store.KindGateway) {
			e.status.gateways[t.NamespacedName] = struct{}{}
		} else {
			e.status.services[model.ServiceKey{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}] = struct{}{}
		}
	}
}

// tellStatus hands the marks on at the end of a turn.
func (e *Engine) tellStatus() {
	m := e.status
	if len(m.plugins)+len(m.gateways)+len(m.services)+len(m.routes) == 0 {
		return
	}
	e.status = newStatusMarks()
	if e.opts.OnStatus == nil || !e.loaded {
		return
	}
	var d status.Dirty
	for k := range m.plugins {
		d.Plugins = append(d.Plugins, k)
	}
	for k := range m.gateways {
		d.Gateways = append(d.Gateways, k)
	}
	for k := range m.services {
		d.Services = append(d.Services, k)
	}
	for k := range m.routes {
		d.Routes = append(d.Routes, k)
	}
	e.opts.OnStatus(d)
}
