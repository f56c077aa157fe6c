package kube

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// object is what the API server keeps.
type object interface {
	runtime.Object
	metav1.Object
}

// named watches one single object with the verbs get and watch alone, so that RBAC need not grant list, and may name the
// object. It is the lister, the watcher and the store of a client-go reflector, which does the waiting and trying again.
type named[T object] struct {
	name string
	get  func(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	open func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	// found is called with every state of the object, and with exists false when there is none; first after the first answer
	// of the API server. Calls do not overlap.
	found func(o T, exists bool)
	// refused is called when the API server will not tell.
	refused func(err error)
}

var (
	_ cache.ListerWatcherWithContext = (*named[object])(nil)
	_ cache.ReflectorStore           = (*named[object])(nil)
)

// run watches until ctx ends.
func (n *named[T]) run(ctx context.Context, of T) {
	cache.NewReflectorWithOptions(n, of, n, cache.ReflectorOptions{Name: n.name}).RunWithContext(ctx)
}

// IsWatchListSemanticsUnSupported makes the reflector get before it watches.
func (n *named[T]) IsWatchListSemanticsUnSupported() bool { return true }

func (n *named[T]) List(o metav1.ListOptions) (runtime.Object, error) {
	return n.ListWithContext(context.Background(), o)
}

func (n *named[T]) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	list := &metav1.List{}
	o, err := n.get(ctx, n.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return list, nil // a watch from no version at all begins with what there is by then
	case err != nil:
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			n.refused(err)
		}
		return nil, err
	}
	list.Items = []runtime.RawExtension{{Object: o}}
	list.ResourceVersion = o.GetResourceVersion()
	return list, nil
}

func (n *named[T]) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return n.WatchWithContext(context.Background(), o)
}

func (n *named[T]) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.FieldSelector = fields.OneTermEqualSelector("metadata.name", n.name).String()
	return n.open(ctx, o)
}

func (n *named[T]) Replace(list []any, _ string) error {
	if len(list) == 0 {
		n.gone()
		return nil
	}
	return n.Add(list[0])
}

func (n *named[T]) Add(o any) error {
	if t, ok := o.(T); ok {
		n.found(t, true)
	}
	return nil
}

func (n *named[T]) Update(o any) error { return n.Add(o) }

func (n *named[T]) Delete(any) error {
	n.gone()
	return nil
}

func (n *named[T]) Resync() error { return nil }

func (n *named[T]) gone() {
	var none T
	n.found(none, false)
}
