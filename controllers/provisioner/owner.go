package provisioner

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// isOfOlder tells whether an object belongs to a Gateway that had the name before.
func isOfOlder(o metav1.Object, gw *gatewayv1.Gateway) bool {
	ref := metav1.GetControllerOf(o)
	return ref != nil && ref.Kind == "Gateway" && ref.Name == gw.Name && ref.UID != gw.UID
}

// touchOwner touches the Gateway that an object belongs to.
func (p *Provisioner) touchOwner(o any) {
	object, ok := o.(metav1.Object)
	if !ok {
		return
	}
	if ref := metav1.GetControllerOf(object); ref != nil && ref.Kind == "Gateway" {
		if group, err := schema.ParseGroupVersion(ref.APIVersion); err == nil && group.Group == gatewayv1.GroupName {
			p.Touch(types.NamespacedName{Namespace: object.GetNamespace(), Name: ref.Name})
		}
	}
}

// onlyStatus tells of an update that changed nothing that is compared: a Deployment that rolls changes its status many times
// a second.
func onlyStatus(before, after any) bool {
	a, ok := before.(*appsv1.Deployment)
	b, ok2 := after.(*appsv1.Deployment)
	return ok && ok2 && a.Generation == b.Generation && a.UID == b.UID && reflect.DeepEqual(a.Labels, b.Labels) &&
		reflect.DeepEqual(a.Annotations, b.Annotations) && reflect.DeepEqual(a.OwnerReferences, b.OwnerReferences)
}

// eachOwned calls f with every object that was provisioned for a Gateway, as the cache has them.
func (p *Provisioner) eachOwned(ctx context.Context, gw *gatewayv1.Gateway, f func(schema.GroupVersionKind, client.Object) error) error {
	for _, kind := range owned() {
		gvk, err := p.opts.Client.GroupVersionKindFor(kind)
		if err != nil {
			return err
		}
		made, err := p.opts.Client.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err != nil {
			return err
		}
		list, ok := made.(client.ObjectList)
		if !ok {
			return fmt.Errorf("%T is no list", made)
		}
		if err := p.opts.Cache.List(ctx, list, client.InNamespace(gw.Namespace), client.MatchingLabels{provision.LabelManagedBy: provision.ManagedBy}); err != nil {
			return err
		}
		err = meta.EachListItem(list, func(o runtime.Object) error {
			object := o.(client.Object)
			if !provision.IsOf(object, gw) || object.GetDeletionTimestamp() != nil || object.GetAnnotations()[provision.AnnotationApplied] == "" {
				return nil
			}
			return f(gvk, object)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeLeftovers deletes what the Gateway owns of ours and does not need any more: all of it after a change of its class.
func (p *Provisioner) removeLeftovers(ctx context.Context, gw *gatewayv1.Gateway, wanted []*unstructured.Unstructured) error {
	return p.eachOwned(ctx, gw, func(gvk schema.GroupVersionKind, object client.Object) error {
		if slices.ContainsFunc(wanted, func(w *unstructured.Unstructured) bool {
			return w.GroupVersionKind() == gvk && w.GetName() == object.GetName()
		}) {
			return nil
		}
		uid := object.GetUID()
		err := p.opts.Client.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("%s %s/%s cannot be deleted: %w", gvk.Kind, object.GetNamespace(), object.GetName(), err)
		}
		p.log.Info("deleted", "kind", gvk.Kind, "namespace", object.GetNamespace(), "name", object.GetName(), "gateway", gw.Name)
		return nil
	})
}

// oldOnesServe tells whether the proxies of the Gateway's former class serve and the new ones do not yet. They may never: then
// the old ones go nevertheless, after a while.
func (p *Provisioner) oldOnesServe(ctx context.Context, gw *gatewayv1.Gateway, now time.Time) (bool, error) {
	serves, waits := false, true
	err := p.eachOwned(ctx, gw, func(_ schema.GroupVersionKind, o client.Object) error {
		d, is := o.(*appsv1.Deployment)
		switch {
		case !is:
		case d.Name != provision.Name(gw):
			serves = serves || d.Status.AvailableReplicas > 0
		case d.Status.AvailableReplicas > 0, d.Spec.Replicas != nil && *d.Spec.Replicas == 0, now.Sub(d.CreationTimestamp.Time) > newGrace:
			waits = false
		}
		return nil
	})
	return serves && waits, err
}

// lostItsClass tells whether a Gateway got proxies as one of a class of ours that does not exist any more. They stay: who
// deletes a class and makes it again, as one does to edit it, means no outage, and a waypoint that is gone is gone around.
func (p *Provisioner) lostItsClass(ctx context.Context, gw *gatewayv1.Gateway, class *gatewayv1.GatewayClass) (lost bool, err error) {
	if class != nil {
		return false, nil
	}
	err = p.eachOwned(ctx, gw, func(_ schema.GroupVersionKind, o client.Object) error {
		lost = lost || provision.IsFor(o, gw)
		return nil
	})
	return lost, err
}

func (p *Provisioner) forget(it item) {
	p.maps.use(it)
	p.mu.Lock()
	delete(p.states, it.NamespacedName)
	p.mu.Unlock()
}

// tell notes what became of a Gateway's objects.
func (p *Provisioner) tell(it item, s status.Provision) {
	p.mu.Lock()
	before, known := p.states[it.NamespacedName]
	p.states[it.NamespacedName] = s
	p.mu.Unlock()
	if !known || !reflect.DeepEqual(before, s) {
		p.opts.Changed(it.NamespacedName)
	}
}

// tellClass notes what is wrong with a class; nil: it is not ours.
func (p *Provisioner) tellClass(name string, s *status.ClassInput) {
	p.mu.Lock()
	before, known := p.classes[name]
	if s == nil {
		delete(p.classes, name)
	} else {
		p.classes[name] = *s
	}
	p.mu.Unlock()
	if s != nil && (!known || before != *s) {
		p.opts.ClassChanged(name)
	}
}
