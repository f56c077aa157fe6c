package status

import (
	"reflect"
	"slices"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// maxParents is how many entries the status of a route can hold.
const maxParents = 32

// RouteInput is everything that our part of a route's status depends on.
type RouteInput struct {
	Generation int64
	// Parents are the entries for the route's references to Gateways of ours, without times.
	Parents []gatewayv1.RouteParentStatus
}

// RouteParents is the list status.parents of a route: the entries of others as they are and in their order, ours in the places
// where they stood, and new ones at the end. What refers to no Gateway of ours any more goes.
func RouteParents(in RouteInput, previous []gatewayv1.RouteParentStatus, now time.Time) []gatewayv1.RouteParentStatus {
	var out []gatewayv1.RouteParentStatus
	used := make([]bool, len(in.Parents))
	for _, old := range previous {
		if old.ControllerName != ext.ControllerName {
			out = append(out, old)
			continue
		}
		i := slices.IndexFunc(in.Parents, func(p gatewayv1.RouteParentStatus) bool { return reflect.DeepEqual(p.ParentRef, old.ParentRef) })
		if i < 0 || used[i] {
			continue
		}
		used[i] = true
		next := *in.Parents[i].DeepCopy()
		stamp(next.Conditions, old.Conditions, now)
		out = append(out, next)
	}
	for i, p := range in.Parents {
		if !used[i] && len(out) < maxParents {
			next := *p.DeepCopy()
			stamp(next.Conditions, nil, now)
			out = append(out, next)
		}
	}
	return out
}
