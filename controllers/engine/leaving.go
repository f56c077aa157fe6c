package engine

import (
	"slices"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// lingers keeps a place at a waypoint for a while when the binding of its Service ends, just as it was: those who bring the
// traffic hear of the binding's end by themselves, and some of them later than we do. A plugin of the place that changes
// meanwhile changes there too, unless it is of another type then, or needs a permission that nobody looked for. One that is made in
// that time is not on the old way: a request that still comes by it passes without it. Without the Service or the waypoint there is
// nothing to go to, and nothing lingers. Where the waypoint's owner does not admit the Service any more, it stays for that while too:
// it was admitted until now, and its clients have done nothing wrong.
func (e *Engine) lingers(scope model.Scope) bool {
	if _, is := e.places[scope]; !is || e.opts.Linger <= 0 || scope.Service.IsZero() {
		return false
	}
	state := e.gateways[scope.Gateway]
	if state == nil || !e.tracker.IsWaypoint(scope.Gateway) || !e.left(scope) ||
		!slices.ContainsFunc(e.ports(scope.Service), func(p attach.Port) bool { return p.Number == scope.Port }) {
		return false
	}
	if _, already := e.leaving[scope]; !already {
		e.leaving[scope] = e.opts.Now().Add(e.opts.Linger)
	}
	return true
}

// left tells whether a Service uses a waypoint no more: it names another one or none, or this one does not take it.
func (e *Engine) left(scope model.Scope) bool {
	b := e.tracker.Binding(scope.Service)
	return b.Waypoint != scope.Gateway || b.Reason == ext.ReasonAttachmentDenied || b.Reason == ext.ReasonUnsupportedTrafficType
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
