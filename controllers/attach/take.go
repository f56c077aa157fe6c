package attach

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// take puts one event into the store and marks what it can affect. Nothing is computed here, because later events of
// the batch may change the inputs.
func (t *Tracker) take(event store.Event, d *dirt) error {
	if event.Object == nil {
		if old := t.store.Delete(event.Deleted); old != nil {
			t.mark(old, nil, d)
		}
		return nil
	}
	old, changed, err := t.store.Put(event.Object)
	if err == nil && changed {
		t.mark(old, event.Object, d)
	}
	return err
}

// mark marks what a change from old to object (either may be nil) can affect.
func (t *Tracker) mark(old, object any, d *dirt) {
	for _, version := range []any{old, object} {
		switch o := version.(type) {
		case *model.Plugin:
			d.plugins = append(d.plugins, o)
			d.judge(o)
			d.changed.add(o.Key)
		case *gatewayv1.Gateway:
			d.gateways.add(nameOf(o))
			d.topology.add(nameOf(o))
		case *model.Workload:
			d.workloads.add(o.NamespacedName())
		case *gatewayv1.GatewayClass:
			t.markClass(o.Name, d)
		case *corev1.Service:
			t.markService(model.ServiceKey{Kind: kindService, Namespace: o.Namespace, Name: o.Name}, d)
		case *networkingv1.ServiceEntry:
			t.markService(model.ServiceKey{Kind: kindServiceEntry, Namespace: o.Namespace, Name: o.Name}, d)
		case *discoveryv1.EndpointSlice:
			if name := o.Labels[discoveryv1.LabelServiceName]; name != "" {
				d.endpoints.add(model.ServiceKey{Kind: kindService, Namespace: o.Namespace, Name: name})
			}
		case *gatewayv1.HTTPRoute:
			d.routes.add(store.ParentGateways(o)...)
			d.endpoints.add(store.ParentServices(o)...)
		case *gatewayv1.ReferenceGrant:
			t.markGrant(o.Namespace, d)
		case *corev1.Secret:
			t.markSecret(nameOf(o), d)
		case *model.MeshPolicy:
			d.policyTargets.add(o.Targets...)
		}
	}
	t.markNamespace(old, object, d)
}

func (t *Tracker) markService(key model.ServiceKey, d *dirt) {
	d.services.add(key)
	d.respec.add(key)
	d.endpoints.add(key)
	for _, route := range t.store.RoutesToService(key) {
		d.routes.add(store.ParentGateways(route)...)
		d.endpoints.add(store.ParentServices(route)...)
	}
}

func (t *Tracker) markClass(class string, d *dirt) {
	for _, gateway := range t.store.GatewaysOfClass(class) {
		d.gateways.add(nameOf(gateway))
		d.topology.add(nameOf(gateway))
	}
	d.judge(t.store.PluginsTargeting(ClassTarget(class))...)
}

// markNamespace marks all Services and HTTPRoutes of a Namespace if its labels changed: they may name a waypoint, and the
// allowedRoutes of a listener may select them.
func (t *Tracker) markNamespace(old, object any, d *dirt) {
	before, was := old.(*corev1.Namespace)
	after, is := object.(*corev1.Namespace)
	if !was && !is || was && is && maps.Equal(before.Labels, after.Labels) {
		return
	}
	name := ""
	if is {
		name = after.Name
	} else {
		name = before.Name
	}
	d.services.add(t.rules.servicesOf(name)...)
	for _, route := range t.store.HTTPRoutesIn(name) {
		for _, parent := range store.ParentGateways(route) {
			if selectsNamespaces(t.store.Gateway(parent)) {
				d.routes.add(parent)
			}
		}
	}
}

// selectsNamespaces tells whether a listener takes routes by the labels of their Namespace.
func selectsNamespaces(gateway *gatewayv1.Gateway) bool {
	return gateway != nil && slices.ContainsFunc(gateway.Spec.Listeners, func(l gatewayv1.Listener) bool {
		allowed := l.AllowedRoutes
		return allowed != nil && allowed.Namespaces != nil && allowed.Namespaces.From != nil &&
			*allowed.Namespaces.From == gatewayv1.NamespacesFromSelector
	})
}

func (t *Tracker) markSecret(name types.NamespacedName, d *dirt) {
	for _, gateway := range t.store.GatewaysUsingSecret(name) {
		d.certificates.add(nameOf(gateway))
	}
	for _, plugin := range t.store.PluginsUsingSecret(name) {
		d.pullSecrets.add(plugin.Key)
	}
}

// markGrant marks what may refer into the namespace that a grant opens.
func (t *Tracker) markGrant(namespace string, d *dirt) {
	for _, gateway := range t.store.GatewaysUsingSecretsIn(namespace) {
		d.certificates.add(nameOf(gateway))
	}
	for _, route := range t.store.RoutesToNamespace(namespace) {
		d.routes.add(store.ParentGateways(route)...)
		d.endpoints.add(store.ParentServices(route)...)
	}
}
