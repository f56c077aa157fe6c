package provisioner

import (
	"context"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/controllers/provision"
)

// strangerError tells of an object that has the name of ours and is somebody else's.
type strangerError struct {
	kind, namespace, name string
	// older tells that it is what an older Gateway of this name had; the garbage collector is at it.
	older bool
}

func (e *strangerError) Error() string {
	if e.older {
		return fmt.Sprintf("%s %s/%s is of an older Gateway of this name, and is being removed", e.kind, e.namespace, e.name)
	}
	return fmt.Sprintf("%s %s/%s exists and does not belong to this Gateway; remove it, or give the Gateway another name", e.kind, e.namespace, e.name)
}

// mayPass tells of an error whether it may be over in a moment, as that of an API server that is started anew. A refusal stays,
// and so does what has been so for a while.
func (p *Provisioner) mayPass(it item, err error, now time.Time) bool {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	since, known := p.failing[it]
	if !known {
		since = now
		p.failing[it] = now
	}
	return now.Sub(since) < patience
}

// fight is an object that was applied although it carried the hash of what was applied: somebody else changes it.
type fight struct {
	at    time.Time
	times int
}

// apply applies the objects that are not what they should be. again is when an object may be applied next that somebody keeps
// changing.
func (p *Provisioner) apply(ctx context.Context, gw *gatewayv1.Gateway, objects []*unstructured.Unstructured) (again time.Duration, err error) {
	var due []*unstructured.Unstructured
	for _, o := range objects {
		differs, wait, err := p.differs(ctx, gw, o)
		if err != nil {
			return 0, err
		}
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
		if differs {
			due = append(due, o)
		}
	}
	for _, o := range due {
		if err := p.opts.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(Manager), client.ForceOwnership); err != nil {
			return 0, fmt.Errorf("%s %s/%s cannot be applied: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err)
		}
		p.log.Info("applied", "kind", o.GetKind(), "namespace", o.GetNamespace(), "name", o.GetName(), "gateway", gw.Name)
	}
	return again, nil
}

// differs tells whether an object has to be applied; wait is how long not to, because somebody keeps changing it. An object
// that is ours by its uid is applied on the condition that it still is.
func (p *Provisioner) differs(ctx context.Context, gw *gatewayv1.Gateway, want *unstructured.Unstructured) (differs bool, wait time.Duration, err error) {
	name := types.NamespacedName{Namespace: want.GetNamespace(), Name: want.GetName()}
	live, err := p.cached(ctx, want, name)
	if err != nil {
		return false, 0, err
	}
	if live == nil || !provision.IsOf(live, gw) {
		// The cache knows our own by their labels; who else has the name, the API server tells.
		found := &unstructured.Unstructured{}
		found.SetGroupVersionKind(want.GroupVersionKind())
		switch err := p.opts.Client.Get(ctx, name, found); {
		case apierrors.IsNotFound(err):
			return true, 0, nil
		case err != nil:
			return false, 0, err
		case !provision.IsOf(found, gw):
			return false, 0, &strangerError{want.GetKind(), name.Namespace, name.Name, isOfOlder(found, gw)}
		}
		want.SetUID(found.GetUID())
		return true, 0, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false, 0, err
	}
	want.SetUID(live.GetUID())
	if live.GetAnnotations()[provision.AnnotationApplied] != want.GetAnnotations()[provision.AnnotationApplied] {
		return true, 0, nil
	}
	if provision.Holds(content, want.Object) {
		return false, 0, nil
	}
	return p.mayFight(want, time.Now())
}

// mayFight undoes a change of others at once, and more and more slowly when it comes again and again.
func (p *Provisioner) mayFight(o *unstructured.Unstructured, now time.Time) (bool, time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := string(o.GetUID())
	maps.DeleteFunc(p.fights, func(_ string, f fight) bool { return now.Sub(f.at) > 2*lastFight }) // that one gave in, or is gone
	f := p.fights[key]
	pause := min(firstFight<<min(f.times, 10), lastFight)
	if since := now.Sub(f.at); f.times > 0 && since < pause {
		return false, pause - since, nil
	}
	p.fights[key] = fight{at: now, times: f.times + 1}
	p.log.Info("an object was changed by somebody else, and is applied again", "kind", o.GetKind(), "namespace", o.GetNamespace(), "name", o.GetName())
	return true, 0, nil
}

// cached is the object as the cache has it, nil if it has none.
func (p *Provisioner) cached(ctx context.Context, of *unstructured.Unstructured, name types.NamespacedName) (client.Object, error) {
	for _, o := range owned() {
		gvk, err := p.opts.Client.GroupVersionKindFor(o)
		if err != nil {
			return nil, err
		}
		if gvk != of.GroupVersionKind() {
			continue
		}
		err = p.opts.Cache.Get(ctx, name, o)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return o, err
	}
	return nil, fmt.Errorf("%s is no kind that is provisioned", of.GroupVersionKind())
}
