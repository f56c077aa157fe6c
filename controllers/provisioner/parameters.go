package provisioner

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// reference is a parametersRef.
type reference struct {
	field string
	class bool
	group gatewayv1.Group
	kind  gatewayv1.Kind
	name  types.NamespacedName
	into  **corev1.ConfigMap
}

func ofClass(class *gatewayv1.GatewayClass) reference {
	ref := class.Spec.ParametersRef
	r := reference{
		field: "GatewayClass " + class.Name + ": spec.parametersRef", class: true,
		group: ref.Group, kind: ref.Kind, name: types.NamespacedName{Name: ref.Name},
	}
	if ref.Namespace != nil {
		r.name.Namespace = string(*ref.Namespace)
	}
	return r
}

// check tells what is wrong with a reference itself.
func (r reference) check() string {
	switch {
	case r.group != "" || r.kind != "ConfigMap":
		return fmt.Sprintf(`%s: group %q, kind %q cannot hold parameters; use group "" and kind ConfigMap`, r.field, r.group, r.kind)
	case r.name.Namespace == "":
		return r.field + ": namespace is empty; name the ConfigMap's namespace"
	}
	return ""
}

// configMaps watches exactly the ConfigMaps that some Gateway or class refers to, one by one.
type configMaps struct {
	ctx   context.Context
	core  rest.Interface
	touch func(item)

	mu      sync.Mutex
	uses    map[item][]types.NamespacedName
	watches map[types.NamespacedName]*mapWatch
}

type mapWatch struct {
	users  map[item]bool
	store  toolscache.Store
	synced func() bool
	stop   context.CancelFunc
}

func newMaps(ctx context.Context, core rest.Interface, touch func(item)) *configMaps {
	return &configMaps{ctx: ctx, core: core, touch: touch, uses: map[item][]types.NamespacedName{}, watches: map[types.NamespacedName]*mapWatch{}}
}

// use replaces the ConfigMaps to which a Gateway or class refers.
func (m *configMaps) use(it item, names ...types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if m.watches[name] == nil {
			m.watches[name] = m.open(name)
		}
		m.watches[name].users[it] = true
	}
	for _, name := range m.uses[it] {
		if w := m.watches[name]; w != nil && !slices.Contains(names, name) {
			if delete(w.users, it); len(w.users) == 0 {
				w.stop()
				delete(m.watches, name)
			}
		}
	}
	delete(m.uses, it)
	if len(names) > 0 {
		m.uses[it] = names
	}
}

// get gives a ConfigMap that is in use, nil if there is none; false: the API server did not answer yet.
func (m *configMaps) get(name types.NamespacedName) (*corev1.ConfigMap, bool) {
	m.mu.Lock()
	w := m.watches[name]
	m.mu.Unlock()
	if w == nil || !w.synced() {
		return nil, false
	}
	o, exists, err := w.store.GetByKey(name.String())
	if err != nil || !exists {
		return nil, true
	}
	return o.(*corev1.ConfigMap), true
}

func (m *configMaps) open(name types.NamespacedName) *mapWatch {
	ctx, stop := context.WithCancel(m.ctx)
	w := &mapWatch{users: map[item]bool{}, stop: stop}
	changed := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for it := range w.users {
			m.touch(it)
		}
	}
	store, informer := toolscache.NewInformerWithOptions(toolscache.InformerOptions{
		ListerWatcher: toolscache.NewListWatchFromClient(m.core, "configmaps", name.Namespace, fields.OneTermEqualSelector("metadata.name", name.Name)),
		ObjectType:    &corev1.ConfigMap{},
		Handler: toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { changed() },
			UpdateFunc: func(any, any) { changed() },
			DeleteFunc: func(any) { changed() },
		},
	})
	w.store, w.synced = store, informer.HasSynced
	go informer.RunWithContext(ctx)
	go func() { // one that does not exist is no event
		if toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			changed()
		}
	}()
	return w
}
