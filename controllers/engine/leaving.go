package engine

import (
	"slices"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// lingers keeps a place at a waypoint for a while when the binding of its Service ends, just as it was: those who bring the
// traffic hear of the binding's end by themselves, and some of them later than we do. A plugin of the place that changes
// meanwhile changes there too. Without the Service or the waypoint there is nothing to go to, and nothing lingers; nor does a
// Service that still names the waypoint, whose owner does not admit it any more.
func (e *Engine) lingers(scope model.Scope) bool {
	if _, is := e.places[scope]; !is || e.opts.Linger <= 0 || scope.Service.IsZero() {
		return false
	}
	state := e.gateways[scope.Gateway]
	if state == nil || !e.tracker.IsWaypoint(scope.Gateway) || e.tracker.Binding(scope.Service).Waypoint == scope.Gateway ||
		!slices.ContainsFunc(e.ports(scope.Service), func(p attach.Port) bool { return p.Number == scope.Port }) {
		return false
	}
	if _, already := e.leaving[scope]; !already {
		e.leaving[scope] = e.opts.Now().Add(e.opts.Linger)
	}
	return true
}

// endLeaving takes places away whose grace is over, or whose Service or waypoint is gone.
func (e *Engine) endLeaving() {
	now := e.opts.Now()
	for scope, end := range e.leaving {
		if now.Before(end) && e.lingers(scope) {
			continue
		}
		delete(e.leaving, scope)
		if e.dropPlace(scope) {
			e.rebuildPlace(scope)
		}
	}
}

// leavingOf are the places that a Service is about to leave.
func (e *Engine) leavingOf(key model.ServiceKey) (out []model.Scope) {
	for scope := range e.leaving {
		if scope.Service == key {
			out = append(out, scope)
		}
	}
	return out
}
