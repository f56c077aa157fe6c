package publish

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// targetTypes are the conditions that we may have on a target.
var targetTypes = []string{ext.ConditionAffected, ext.ConditionPoliciesEnforced, ext.ConditionWaypointBound}

// seen is what matters of a target as it stands.
type seen struct {
	conditions []metav1.Condition
	managers   []metav1.ManagedFieldsEntry
}

// target brings our conditions on one object to what they should be. Conditions of a target are a map keyed by type, so
// server-side apply owns exactly ours; what is not applied any more is removed.
func (r *term) target(it item, in status.TargetInput) verdict {
	cached, known, err := r.cachedTarget(it)
	switch {
	case err != nil && isGone(err):
		return done
	case err != nil:
		r.opts.Logger.Warn("cannot read a target to write its conditions; trying again", "kind", it.kind, "object", it.String(), "error", err)
		return retry
	}
	if known {
		if _, differs := r.wanted(cached, in); !differs {
			r.counters.Skipped.Add(1)
			return done
		}
	}
	if wait := r.mayWrite(it); wait > 0 {
		return after(wait)
	}
	u, err := r.live(it)
	if err != nil {
		return r.failed(it, err)
	}
	now, err := targetOf(u)
	if err != nil {
		return r.failed(it, err)
	}
	conditions, differs := r.wanted(now, in)
	if !differs || isOneField(now) {
		r.counters.Skipped.Add(1)
		return done
	}
	return r.apply(it, u, now, conditions)
}

// apply sends our conditions. With istio.io/WaypointBound among them it does not take fields from others: istiod may
// have come in between.
func (r *term) apply(it item, u *unstructured.Unstructured, now seen, conditions []metav1.Condition) verdict {
	config := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": it.Name, "namespace": it.Namespace},
	}}
	config.SetGroupVersionKind(u.GroupVersionKind())
	if len(conditions) > 0 {
		var list []any
		data, err := json.Marshal(conditions)
		if err == nil {
			err = json.Unmarshal(data, &list)
		}
		if err != nil {
			return r.failed(it, err)
		}
		config.Object["status"] = map[string]any{"conditions": list}
	}
	options := []client.SubResourceApplyOption{client.FieldOwner(Manager)}
	if find(conditions, ext.ConditionWaypointBound) == nil || othersOwn(now.managers, ext.ConditionAffected) {
		options = append(options, client.ForceOwnership)
	}
	if err := r.opts.Client.Status().Apply(r.ctx, client.ApplyConfigurationFromUnstructured(config), options...); err != nil {
		return r.failed(it, err)
	}
	r.counters.Writes.Add(1)
	return done
}

// wanted are the conditions to apply, and whether that would change anything. A WaypointBound of another manager
// (istiod's is istio-ambient-service) is left alone.
func (r *term) wanted(now seen, in status.TargetInput) (conditions []metav1.Condition, differs bool) {
	conditions = status.TargetConditions(in, now.conditions, r.opts.Now())
	compare := targetTypes
	if othersOwn(now.managers, ext.ConditionWaypointBound) {
		conditions = slices.DeleteFunc(conditions, func(c metav1.Condition) bool { return c.Type == ext.ConditionWaypointBound })
		compare = []string{ext.ConditionAffected, ext.ConditionPoliciesEnforced}
		if owns(now.managers, ext.ConditionWaypointBound, true) {
			return conditions, true // it is ours too, from before: let go of it
		}
	}
	return conditions, !status.SameConditions(now.conditions, conditions, compare...)
}

// cachedTarget reads a target from the cache. known is false when the cache cannot tell what has to be done.
func (r *term) cachedTarget(it item) (s seen, known bool, err error) {
	switch it.kind {
	case kindGateway:
		o := &gatewayv1.Gateway{}
		err = r.opts.Reader.Get(r.ctx, it.NamespacedName, o)
		s = seen{o.Status.Conditions, o.ManagedFields}
	case kindService:
		o := &corev1.Service{}
		err = r.opts.Reader.Get(r.ctx, it.NamespacedName, o)
		s = seen{o.Status.Conditions, o.ManagedFields}
	default:
		return seen{}, false, nil // ServiceEntries have many versions and are not looked for in the cache
	}
	known = find(s.conditions, ext.ConditionWaypointBound) == nil || len(KeepOwners(s.managers)) > 0
	return s, known, err
}

func targetOf(u *unstructured.Unstructured) (seen, error) {
	var typed struct {
		Status struct {
			// Istio writes the generation as a text or as a number.
			Conditions []ext.Condition `json:"conditions"`
		} `json:"status"`
	}
	data, err := json.Marshal(map[string]any{"status": u.Object["status"]})
	if err == nil {
		err = json.Unmarshal(data, &typed)
	}
	return seen{ext.MetaConditions(typed.Status.Conditions), u.GetManagedFields()}, err
}

// isOneField tells whether the conditions are one field to the API server, with things of others in it: applying ours
// would throw those away. Old CRDs of ServiceEntry are so.
func isOneField(s seen) bool {
	return slices.ContainsFunc(s.conditions, func(c metav1.Condition) bool { return !slices.Contains(targetTypes, c.Type) }) &&
		slices.ContainsFunc(s.managers, func(m metav1.ManagedFieldsEntry) bool {
			return m.FieldsV1 != nil && strings.Contains(m.FieldsV1.GetRawString(), `"f:conditions":{}`)
		})
}

func hasOurs(list []metav1.Condition) bool {
	return slices.ContainsFunc(list, func(c metav1.Condition) bool { return slices.Contains(targetTypes, c.Type) })
}

func find(list []metav1.Condition, kind string) *metav1.Condition {
	for i := range list {
		if list[i].Type == kind {
			return &list[i]
		}
	}
	return nil
}

// KeepOwners keeps the entries of managedFields that own one of the conditions that we may write on a target: what a
// cache of Gateways and Services need not throw away.
//
// That we wrote a Gateway's status is kept too, without the fields.
func KeepOwners(list []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Manager == StatusManager {
			list[i].FieldsV1 = nil
		}
	}
	return slices.DeleteFunc(list, func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager != StatusManager && !slices.ContainsFunc(targetTypes, func(kind string) bool { return mentions(m, kind) })
	})
}

func othersOwn(list []metav1.ManagedFieldsEntry, kind string) bool { return owns(list, kind, false) }

// owns tells whether we, or others, own a condition. Our own is what we applied.
func owns(list []metav1.ManagedFieldsEntry, kind string, we bool) bool {
	return slices.ContainsFunc(list, func(m metav1.ManagedFieldsEntry) bool {
		return (m.Manager == Manager && m.Operation == metav1.ManagedFieldsOperationApply) == we && mentions(m, kind)
	})
}

// mentions looks for the condition's key as fieldsV1 writes it: k:{\"type\":\"…\"}.
func mentions(m metav1.ManagedFieldsEntry, kind string) bool {
	return m.FieldsV1 != nil && strings.Contains(m.FieldsV1.GetRawString(), `k:{\"type\":\"`+kind+`\"}`)
}
