package store

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// table holds the objects of one kind by identity, and keeps its indexes.
type table[K comparable, T any] struct {
	id      func(*T) K
	order   func(a, b *T) int
	same    func(a, b *T) bool
	objects map[K]*T
	all     *by[struct{}, T]
	in      *by[string, T]
	indexes []index[T]
}

// named is the table of a kind that Kubernetes knows: identity is namespace and name.
type named[T any] = table[types.NamespacedName, T]

// index follows one table. Either side is nil when the object is new or gone.
type index[T any] interface {
	replace(old, new *T)
}

func newTable[K comparable, T any](id func(*T) K, order func(a, b *T) int, same func(a, b *T) bool) *table[K, T] {
	t := &table[K, T]{id: id, order: order, same: same, objects: map[K]*T{}}
	t.all = addIndex(t, func(*T) []struct{} { return []struct{}{{}} })
	t.in = addIndex(t, func(o *T) []string { return []string{namespaceOf(o)} })
	return t
}

func newNamed[T any](kind Kind, same func(a, b *T) bool) *named[T] {
	id := func(o *T) types.NamespacedName { return ref(kind, any(o).(metav1.Object)).NamespacedName }
	order := func(a, b *T) int {
		x, y := id(a), id(b)
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	}
	return newTable(id, order, same)
}

func namespaceOf[T any](o *T) string {
	switch o := any(o).(type) {
	case *model.Plugin:
		return o.Namespace
	case *model.MeshPolicy:
		return o.Namespace
	case *model.Workload:
		return o.Namespace
	}
	return any(o).(metav1.Object).GetNamespace()
}

func pluginKey(p *model.Plugin) model.Key { return p.Key }

func comparePlugins(a, b *model.Plugin) int { return a.Compare(b.Key) }

func policyKey(p *model.MeshPolicy) model.Key { return p.Key }

func comparePolicies(a, b *model.MeshPolicy) int { return a.Compare(b.Key) }

// put stores an object; the newest one is kept even if nothing that counts has changed, with one exception: an equal
// plugin keeps its pointer, by which plugin sets are compared.
func put[K comparable, T any](t *table[K, T], object *T) (any, bool) {
	key := t.id(object)
	old := t.objects[key]
	if old == nil {
		t.replace(key, nil, object)
		return nil, true
	}
	if old == object {
		return old, false
	}
	same := t.same(old, object)
	if _, plugin := any(object).(*model.Plugin); same && plugin {
		return old, false
	}
	t.replace(key, old, object)
	return old, !same
}

func (t *table[K, T]) replace(key K, old, object *T) {
	t.objects[key] = object
	for _, index := range t.indexes {
		index.replace(old, object)
	}
}

func remove[K comparable, T any](t *table[K, T], key K) any {
	old := t.objects[key]
	if old == nil {
		return nil
	}
	delete(t.objects, key)
	for _, index := range t.indexes {
		index.replace(old, nil)
	}
	return old
}
