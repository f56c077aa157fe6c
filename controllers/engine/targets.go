package engine

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// PluginInputs gives what the status of some plugins depends on; a plugin that does not exist is left out.
func (e *Engine) PluginInputs(ctx context.Context, keys []model.Key) (map[model.Key]status.Input, error) {
	out := make(map[model.Key]status.Input, len(keys))
	err := e.Do(ctx, func() {
		f := e.fleet()
		for _, k := range keys {
			if s := e.plugins[k]; s != nil {
				out[k] = e.input(s, f)
			}
		}
	})
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

// TargetInputs gives what the conditions of some Gateways and Services depend on; an object that does not exist is left out.
func (e *Engine) TargetInputs(ctx context.Context, gateways []types.NamespacedName, services []model.ServiceKey) (map[status.TargetKey]status.TargetInput, error) {
	out := make(map[status.TargetKey]status.TargetInput, len(gateways)+len(services))
	err := e.Do(ctx, func() {
		for _, name := range gateways {
			if gw := e.store.Gateway(name); gw != nil {
				key := status.TargetKey{Kind: string(store.KindGateway), NamespacedName: name}
				out[key] = status.TargetInput{Generation: gw.Generation, Plugins: e.affecting(key), Unenforced: e.unenforcedAt(name)}
			}
		}
		for _, service := range services {
			if in, exists := e.serviceInput(service); exists {
				out[serviceTarget(service)] = in
			}
		}
	})
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

func serviceTarget(s model.ServiceKey) status.TargetKey {
	return status.TargetKey{Kind: s.Kind, NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Name}}
}

func (e *Engine) serviceInput(key model.ServiceKey) (in status.TargetInput, exists bool) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	switch store.Kind(key.Kind) {
	case store.KindService:
		if s := e.store.Service(name); s != nil {
			in.Generation, exists = s.Generation, true
		}
	case store.KindServiceEntry:
		if s := e.store.ServiceEntry(name); s != nil {
			in.Generation, exists = s.Generation, true
		}
	}
	if !exists {
		return in, false
	}
	in.Plugins = e.affecting(serviceTarget(key))
	in.Waypoint = e.waypointBinding(key)
	return in, true
}

// waypointBinding is what istio.io/WaypointBound says of a Service, nil: nothing. It is nothing without a label, of what gets
// no connections at all, and where the waypoint is somebody else's, who says it.
func (e *Engine) waypointBinding(key model.ServiceKey) *status.WaypointBinding {
	b := e.tracker.Binding(key)
	gw := e.store.Gateway(b.Waypoint)
	switch {
	case b.Reason == ext.ReasonNoWaypoint || e.isName(key):
		return nil
	case gw != nil && !e.managed(gw) && b.Reason != ext.ReasonWaypointNotFound:
		return nil
	case b.Bound() && len(gw.Status.Addresses) == 0:
		return &status.WaypointBinding{
			Gateway: b.Waypoint, Reason: ext.ReasonWaypointIsNotReady,
			Message: "Waypoint " + b.Waypoint.String() + " has no address in its status yet, so traffic goes past it; it gets one when its first proxy serves",
		}
	}
	return &status.WaypointBinding{Gateway: b.Waypoint, Bound: b.Bound(), Reason: b.Reason, Message: b.Message}
}

// isName tells whether a Service is nothing but a name in DNS.
func (e *Engine) isName(key model.ServiceKey) bool {
	s := e.store.Service(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
	return key.Kind == string(store.KindService) && s != nil && s.Spec.Type == corev1.ServiceTypeExternalName
}

// affects are the objects that a plugin declares or, without a declared target, reaches, as far as they accepted it. A
// GatewayClass stands for its Gateways. Services that a plugin of their waypoint runs on are not among them: a plugin
// of a whole mesh must not write into every Service.
func (e *Engine) affects(key model.Key) []status.TargetKey {
	var out []status.TargetKey
	add := func(t status.TargetKey) {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, v := range e.tracker.Verdicts(key) {
		switch {
		case !v.Accepted, v.Target == attach.WorkloadsTarget(key.Namespace): // external proxies are no object
		case v.Target.Kind == "GatewayClass":
			seen := map[types.NamespacedName]bool{}
			for _, s := range v.Scopes {
				if !seen[s.Gateway] {
					seen[s.Gateway] = true
					out = append(out, status.TargetKey{Kind: "Gateway", NamespacedName: s.Gateway})
				}
			}
		default:
			add(status.TargetKey{Kind: v.Target.Kind, NamespacedName: types.NamespacedName{Namespace: v.Target.Namespace, Name: v.Target.Name}})
		}
	}
	return out
}

// affecting are the plugins that affect an object, in the order of their age and name.
func (e *Engine) affecting(target status.TargetKey) []model.Key {
	var candidates []*model.Plugin
	if target.Kind == string(store.KindGateway) {
		gw := e.store.Gateway(target.NamespacedName)
		candidates = slices.Concat(
			e.store.PluginsTargeting(attach.GatewayTarget(target.NamespacedName)),
			e.store.PluginsTargeting(attach.ClassTarget(string(gw.Spec.GatewayClassName))),
			e.store.UntargetedPlugins(target.Namespace),
		)
		if root := e.opts.Attach.Root(); root != target.Namespace {
			candidates = append(candidates, e.store.UntargetedPlugins(root)...)
		}
	} else {
		candidates = e.store.PluginsTargeting(attach.ServiceTarget(model.ServiceKey{Kind: target.Kind, Namespace: target.Namespace, Name: target.Name}))
	}
	var out []model.Key
	for _, p := range candidates {
		if s := e.plugins[p.Key]; s != nil && !slices.Contains(out, p.Key) && slices.Contains(s.affects, target) {
			out = append(out, p.Key)
		}
	}
	return out
}
