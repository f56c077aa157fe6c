package engine

import (
	"context"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// GatewayInputs gives what the status of some Gateways depends on; one that does not exist is left out. What became of their
// objects in the API server is not known here.
func (e *Engine) GatewayInputs(ctx context.Context, names []types.NamespacedName) (map[types.NamespacedName]status.GatewayInput, error) {
	out := make(map[types.NamespacedName]status.GatewayInput, len(names))
	err := e.Do(ctx, func() {
		f := e.fleet()
		for _, name := range names {
			gw := e.store.Gateway(name)
			if gw == nil {
				continue
			}
			in := status.GatewayInput{Generation: gw.Generation, Waypoint: e.tracker.IsWaypoint(name)}
			if state := e.gateways[name]; state != nil {
				row := e.gatewayRow(name, f)
				in.Routes, in.Done, in.Message, in.NoneReady = state.routes, row.Programmed, row.Message, e.noneReady(name)
			}
			out[name] = in
		}
	})
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

// RouteInputs gives what our part of the status of some HTTPRoutes depends on; one that does not exist is left out.
func (e *Engine) RouteInputs(ctx context.Context, names []types.NamespacedName) (map[types.NamespacedName]status.RouteInput, error) {
	out := make(map[types.NamespacedName]status.RouteInput, len(names))
	err := e.Do(ctx, func() {
		for _, name := range names {
			if r := e.store.HTTPRoute(name); r != nil {
				out[name] = status.RouteInput{Generation: r.Generation, Parents: e.parentsOf(r)}
			}
		}
	})
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

// parentsOf are the entries for a route's references to Gateways that we program.
func (e *Engine) parentsOf(r *gatewayv1.HTTPRoute) []gatewayv1.RouteParentStatus {
	name := types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
	var parents []gatewayv1.RouteParentStatus
	gateways := store.ParentGateways(r)
	for i, gw := range gateways {
		state := e.gateways[gw]
		if state == nil || slices.Contains(gateways[:i], gw) { // two sections of one Gateway: RouteStatus has both
			continue
		}
		for _, rs := range state.routes.Routes {
			if rs.Route == name {
				parents = append(parents, rs.Parents...)
			}
		}
	}
	return parents
}

// markRouting marks a gateway whose routing was judged anew, and the routes of which it says something else than before.
func (e *Engine) markRouting(gateway types.NamespacedName, before, now *routes.Result) {
	e.status.gateways[gateway] = struct{}{}
	said := map[types.NamespacedName]routes.RouteStatus{}
	if before != nil {
		for _, r := range before.Routes {
			said[r.Route] = r
		}
	}
	if now != nil {
		for _, r := range now.Routes {
			old, had := said[r.Route]
			delete(said, r.Route)
			if !had || !reflect.DeepEqual(old, r) {
				e.status.routes[r.Route] = struct{}{}
			}
		}
	}
	for route := range said {
		e.status.routes[route] = struct{}{}
	}
}
