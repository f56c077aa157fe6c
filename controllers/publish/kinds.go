package publish

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/stored"
)

const (
	kindGateway = "Gateway"
	kindService = "Service"
	// kindGatewayStatus is the status of a Gateway of ours, where kindGateway is our condition on any that plugins target.
	kindGatewayStatus = "Gateway status"
	kindRoute         = "HTTPRoute"
	kindClass         = "GatewayClass"
)

func pluginKey(it item) (model.Key, bool) {
	is := it.kind == ext.KindWasmPlugin || it.kind == ext.KindTrafficExtension
	return model.Key{Kind: it.kind, Namespace: it.Namespace, Name: it.Name}, is
}

// isNumerous tells of a kind of which thousands may change at once, by one change of a waypoint; the status of a plugin that
// somebody just changed does not wait behind them.
func isNumerous(kind string) bool {
	return kind == kindRoute || kind == kindService || kind == networkingv1.KindServiceEntry
}

// resource is the group and version under which a kind is read and written. Which versions of ServiceEntry there are
// depends on the Istio that installed it.
func (r *term) resource(kind string) (schema.GroupVersionKind, error) {
	switch kind {
	case kindGatewayStatus:
		kind = kindGateway
		fallthrough
	case kindGateway, kindRoute, kindClass:
		return schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: gatewayv1.GroupVersion.Version, Kind: kind}, nil
	case kindService:
		return corev1.SchemeGroupVersion.WithKind(kind), nil
	case networkingv1.KindServiceEntry:
		m, err := r.opts.Client.RESTMapper().RESTMapping(schema.GroupKind{Group: networkingv1.GroupName, Kind: kind})
		if err != nil {
			return schema.GroupVersionKind{}, err
		}
		return m.GroupVersionKind, nil
	}
	return ext.GroupVersion.WithKind(kind), nil
}

// live reads an object from the API server, with all that our types do not know.
func (r *term) live(it item) (*unstructured.Unstructured, error) {
	gvk, err := r.resource(it.kind)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u, r.opts.Client.Get(r.ctx, it.NamespacedName, u)
}

// isGone tells whether an error says that there is no such object, or no such kind (its CRD was removed).
func isGone(err error) bool {
	return client.IgnoreNotFound(err) == nil || isUnknownKind(err)
}

// isUnknownKind tells that the API server has no such kind, or that nobody watches it because it had none.
func isUnknownKind(err error) bool {
	var uncached *cache.ErrResourceNotCached
	return meta.IsNoMatchError(err) || errors.As(err, &uncached)
}

// markAll marks every object that can have a status of ours, once the cache can tell them.
func (r *term) markAll() {
	lists := map[string]client.ObjectList{
		ext.KindWasmPlugin: &stored.WasmPluginList{}, ext.KindTrafficExtension: &stored.TrafficExtensionList{},
		kindGateway: &gatewayv1.GatewayList{}, kindService: &corev1.ServiceList{}, networkingv1.KindServiceEntry: nil,
	}
	if r.opts.Provisions != nil {
		lists[kindGatewayStatus], lists[kindRoute], lists[kindClass] = &gatewayv1.GatewayList{}, &gatewayv1.HTTPRouteList{}, &gatewayv1.GatewayClassList{}
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		for kind, list := range lists {
			items, err := r.list(kind, list)
			if r.ctx.Err() != nil {
				return
			}
			if err != nil && !isUnknownKind(err) {
				r.opts.Logger.Warn("cannot list the objects whose status is to be checked; trying again", "kind", kind, "error", err)
				continue
			}
			r.settle.add(r.opts.Now(), true, items...)
			delete(lists, kind)
		}
		if len(lists) == 0 {
			return
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// list names the objects of a kind: from the cache, and ServiceEntries, which have many versions, from the API server.
// Of those, only the ones with a condition of ours count, which may have to go: the engine marks the others.
func (r *term) list(kind string, list client.ObjectList) (items []item, err error) {
	add := func(o client.Object) {
		items = append(items, item{kind, types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}})
	}
	if list == nil {
		gvk, err := r.resource(kind)
		if err != nil {
			return nil, err
		}
		u := &unstructured.UnstructuredList{}
		u.SetGroupVersionKind(gvk)
		for {
			if err := r.opts.Client.List(r.ctx, u, client.Limit(500), client.Continue(u.GetContinue())); err != nil {
				return nil, err
			}
			for i := range u.Items {
				if t, err := targetOf(&u.Items[i]); err == nil && hasOurs(t.conditions) {
					add(&u.Items[i])
				}
			}
			if u.GetContinue() == "" {
				return items, nil
			}
		}
	}
	if err := r.opts.Reader.List(r.ctx, list); err != nil {
		return nil, err
	}
	err = meta.EachListItem(list, func(o runtime.Object) error {
		add(o.(client.Object))
		return nil
	})
	return items, err
}
