package publish

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/stored"
)

// plugin brings the status of one plugin to what it should be.
func (r *term) plugin(it item, in status.Input, known bool) verdict {
	if !known {
		return r.forget(it)
	}
	obj, content, err := r.cached(it)
	switch {
	case err != nil && isGone(err):
		return r.forget(it)
	case err != nil:
		r.opts.Logger.Warn("cannot read a plugin to write its status; trying again", "plugin", in.Plugin.String(), "error", err)
		return retry
	case !r.isCurrent(it, obj.GetResourceVersion()):
		return retry
	}
	generation := in.Generation
	if generation == 0 {
		generation = in.Plugin.Generation
	}
	if obj.GetGeneration() != generation {
		return retry // the cache and the engine do not speak of the same object yet
	}
	old := statusOf(content.Status)
	in.Previous, in.Now = old, r.opts.Now()
	next := status.Build(in)
	if status.Same(old, next) {
		r.counters.Skipped.Add(1)
		return done
	}
	if wait := r.opts.Hold(); wait > 0 && losesProxies(old, next) {
		return after(wait)
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	return r.write(it, obj, in, next, content.Unread || status.HasOthers(old))
}

// losesProxies tells that a plugin was programmed, and is not any more because proxies are missing: after a restart of the
// controller that says more about the controller than about them.
func losesProxies(old, next status.Status) bool {
	if !meta.IsStatusConditionTrue(old.Conditions, ext.ConditionProgrammed) {
		return false
	}
	c := meta.FindStatusCondition(next.Conditions, ext.ConditionProgrammed)
	return c != nil && c.Status == metav1.ConditionFalse && (c.Reason == ext.ReasonReconciling || c.Reason == ext.ReasonNoProxies)
}

// write patches the status, on the condition that nobody wrote the object since it was read.
func (r *term) write(it item, obj client.Object, in status.Input, next status.Status, others bool) verdict {
	read := raw{}
	if others {
		// The lists are written as a whole, and our types do not hold everything that others may have put into theirs.
		u, err := r.live(it)
		if err == nil && u.GetGeneration() != obj.GetGeneration() {
			return retry
		}
		if err == nil {
			read, err = parse(u)
		}
		if err != nil {
			return r.failed(it, err)
		}
		obj, in.Previous = u, read.status
		if next = status.Build(in); status.Same(in.Previous, next) {
			return done
		}
	}
	data, err := patch(obj.GetResourceVersion(), read, in.Previous, next)
	if err != nil {
		return r.failed(it, err)
	}
	gvk, err := r.resource(it.kind)
	if err != nil {
		return r.failed(it, err)
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(it.Namespace)
	u.SetName(it.Name)
	err = r.opts.Client.Status().Patch(r.ctx, u, client.RawPatch(types.MergePatchType, data), client.FieldOwner(Manager))
	if err != nil {
		if apierrors.IsConflict(err) {
			r.outdate(it, obj.GetResourceVersion())
		}
		return r.failed(it, err)
	}
	r.counters.Writes.Add(1)
	if u.GetResourceVersion() != obj.GetResourceVersion() {
		r.outdate(it, obj.GetResourceVersion())
	}
	r.tell(obj, in.Previous.Conditions, next.Conditions)
	return done
}

// cached reads a plugin from the cache.
func (r *term) cached(it item) (client.Object, stored.Content, error) {
	if it.kind == ext.KindTrafficExtension {
		o := &stored.TrafficExtension{}
		err := r.opts.Reader.Get(r.ctx, it.NamespacedName, o)
		return o, o.Content, err
	}
	o := &stored.WasmPlugin{}
	err := r.opts.Reader.Get(r.ctx, it.NamespacedName, o)
	return o, o.Content, err
}

func statusOf(s ext.PluginStatus) status.Status {
	return status.Status{
		Ancestors: s.Ancestors, Conditions: ext.MetaConditions(s.Conditions),
		ObservedGeneration: s.ObservedGeneration, Summary: s.Summary,
	}
}

// failed says what to do about an error of a write: nothing when the object is gone, and otherwise try again.
func (r *term) failed(it item, err error) verdict {
	switch {
	case r.ctx.Err() != nil:
		return done
	case isGone(err):
		return r.forget(it)
	case apierrors.IsConflict(err):
		r.counters.Conflicts.Add(1)
	default:
		r.counters.Errors.Add(1)
		r.opts.Logger.Warn("cannot write a status; trying again", "kind", it.kind, "object", it.String(), "error", err)
	}
	return retry
}
