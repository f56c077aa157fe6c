package publish

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// route brings our entries in the status of one HTTPRoute to what they should be. The list is one field to the API server, so
// it is written as a whole, on the condition that nobody wrote since, and with the entries of others as they were read.
func (r *term) route(it item, in status.RouteInput, known bool) verdict {
	if !known {
		return r.forget(it)
	}
	cached := &gatewayv1.HTTPRoute{}
	err := r.opts.Reader.Get(r.ctx, it.NamespacedName, cached)
	switch {
	case err != nil && isGone(err):
		return r.forget(it)
	case err != nil:
		r.opts.Logger.Warn("cannot read an HTTPRoute to write its status; trying again", "route", it.String(), "error", err)
		return retry
	case cached.Generation != in.Generation || !r.isCurrent(it, cached.ResourceVersion):
		return retry // the cache and the engine do not speak of the same object yet
	}
	if equality.Semantic.DeepEqual(cached.Status.Parents, status.RouteParents(in, cached.Status.Parents, r.opts.Now())) {
		r.counters.Skipped.Add(1)
		return done
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	live, err := r.live(it)
	if err != nil {
		return r.failed(it, err)
	}
	if live.GetGeneration() != in.Generation {
		return retry
	}
	data, changes, err := routePatch(live, in, r.opts)
	if err != nil {
		return r.failed(it, err)
	}
	if !changes {
		return done
	}
	before := live.GetResourceVersion()
	err = r.opts.Client.Status().Patch(r.ctx, live, client.RawPatch(types.MergePatchType, data), client.FieldOwner(StatusManager))
	if err != nil {
		if apierrors.IsConflict(err) {
			r.outdate(it, before)
		}
		return r.failed(it, err)
	}
	r.counters.Writes.Add(1)
	if live.GetResourceVersion() != before {
		r.outdate(it, before)
	}
	return done
}

// routePatch is a JSON merge patch of status.parents.
func routePatch(live *unstructured.Unstructured, in status.RouteInput, o Options) (data []byte, changes bool, err error) {
	var typed gatewayv1.HTTPRouteStatus
	var texts struct {
		Parents []json.RawMessage `json:"parents"`
	}
	all, err := json.Marshal(live.Object["status"])
	if err == nil {
		err = json.Unmarshal(all, &typed)
	}
	if err == nil {
		err = json.Unmarshal(all, &texts)
	}
	if err != nil {
		return nil, false, err
	}
	next := status.RouteParents(in, typed.Parents, o.Now())
	if equality.Semantic.DeepEqual(typed.Parents, next) {
		return nil, false, nil
	}
	parents, err := splice(typed.Parents, texts.Parents, next, func(p gatewayv1.RouteParentStatus) (json.RawMessage, error) { return json.Marshal(p) })
	if err != nil {
		return nil, false, err
	}
	data, err = json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": live.GetResourceVersion()}, "status": map[string]any{"parents": parents},
	})
	return data, true, err
}
