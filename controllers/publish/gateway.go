package publish

import (
	"encoding/json"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// gateway brings the status of one Gateway to what it should be: conditions, listeners and addresses, by server-side apply, so
// that conditions of others stay.
func (r *term) gateway(it item, in status.GatewayInput, known bool) verdict {
	if !known {
		return r.forget(it)
	}
	gw := &gatewayv1.Gateway{}
	err := r.opts.Reader.Get(r.ctx, it.NamespacedName, gw)
	switch {
	case err != nil && isGone(err):
		return r.forget(it)
	case err != nil:
		r.opts.Logger.Warn("cannot read a Gateway to write its status; trying again", "gateway", it.String(), "error", err)
		return retry
	case gw.Generation != in.Generation || !r.isCurrent(it, gw.ResourceVersion):
		return retry // the cache and the engine do not speak of the same object yet
	}
	if in.Routes == nil {
		return r.leave(it, gw)
	}
	if in.Provision, known = r.opts.Provisions.State(it.NamespacedName); !known || in.Provision.Generation < gw.Generation {
		return done // it is marked when that is known
	}
	next := status.Gateway(in, gw.Status, r.opts.Now())
	if sameGateway(gw.Status, next) {
		r.counters.Skipped.Add(1)
		return done
	}
	if wait := r.opts.Hold(); wait > 0 && status.LosesProxies(in, gw.Status) {
		return after(wait)
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	return r.applyStatus(it, gw, next)
}

// leave takes back what we said of a Gateway that is of another class now.
func (r *term) leave(it item, gw *gatewayv1.Gateway) verdict {
	if !slices.ContainsFunc(gw.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Manager == StatusManager }) {
		r.counters.Skipped.Add(1)
		return done
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	return r.applyStatus(it, gw, gatewayv1.GatewayStatus{})
}

// applyStatus applies a status to the object that was read; what is not in it, and was applied before, goes. An empty one is left
// out: who applies it owns the field, and would have something to take back for ever.
func (r *term) applyStatus(it item, read client.Object, next any) verdict {
	gvk, err := r.resource(it.kind)
	if err != nil {
		return r.failed(it, err)
	}
	content := map[string]any{}
	data, err := json.Marshal(next)
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err != nil {
		return r.failed(it, err)
	}
	// The uid keeps a status from an object that was created anew meanwhile.
	config := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": it.Name, "uid": string(read.GetUID())},
	}}
	if len(content) > 0 {
		config.Object["status"] = content
	}
	config.SetNamespace(it.Namespace)
	config.SetGroupVersionKind(gvk)
	err = r.opts.Client.Status().Apply(r.ctx, client.ApplyConfigurationFromUnstructured(config), client.FieldOwner(StatusManager), client.ForceOwnership)
	if err != nil {
		return r.failed(it, err)
	}
	r.counters.Writes.Add(1)
	if v := config.GetResourceVersion(); v != "" && v != read.GetResourceVersion() {
		r.outdate(it, read.GetResourceVersion())
	}
	return done
}

// sameGateway tells whether a status already says all that we say. The order of listeners means nothing, and entries of others
// are theirs. One of ours that has to go went with an edit, and with that our conditions change.
func sameGateway(old, next gatewayv1.GatewayStatus) bool {
	if !equality.Semantic.DeepEqual(old.Addresses, next.Addresses) {
		return false
	}
	for _, ours := range next.Listeners {
		i := slices.IndexFunc(old.Listeners, func(l gatewayv1.ListenerStatus) bool { return l.Name == ours.Name })
		if i < 0 || !containsConditions(old.Listeners[i].Conditions, ours.Conditions) {
			return false
		}
		said := old.Listeners[i]
		said.Conditions, ours.Conditions = nil, nil
		if !equality.Semantic.DeepEqual(said, ours) {
			return false
		}
	}
	return containsConditions(old.Conditions, next.Conditions)
}

// containsConditions tells whether all of ours are among those of a list, as they are.
func containsConditions(list, ours []metav1.Condition) bool {
	for _, c := range ours {
		if old := find(list, c.Type); old == nil || !equality.Semantic.DeepEqual(*old, c) {
			return false
		}
	}
	return true
}

// class brings the status of one GatewayClass of ours to what it should be.
func (r *term) class(it item) verdict {
	class := &gatewayv1.GatewayClass{}
	err := r.opts.Reader.Get(r.ctx, types.NamespacedName{Name: it.Name}, class)
	switch {
	case err != nil && isGone(err):
		return r.forget(it)
	case err != nil:
		r.opts.Logger.Warn("cannot read a GatewayClass to write its status; trying again", "class", it.Name, "error", err)
		return retry
	case class.Spec.ControllerName != ext.ControllerName: // which cannot change
		return done
	case !r.isCurrent(it, class.ResourceVersion):
		return retry
	}
	in, known := r.opts.Provisions.ClassState(it.Name)
	if !known {
		return done // it is marked when that is known
	}
	next := status.Class(in, class.Generation, class.Status, r.opts.Now())
	if containsConditions(class.Status.Conditions, next.Conditions) && equality.Semantic.DeepEqual(class.Status.SupportedFeatures, next.SupportedFeatures) {
		r.counters.Skipped.Add(1)
		return done
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	return r.applyStatus(it, class, next)
}
