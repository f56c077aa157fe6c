package attach

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// ways is the list of how a plugin can reach a place; any one is enough. A plugin with targets is never asked for its
// selector, and waypoints are reached by targets alone.
var ways = []func(Rules, *gatewayv1.Gateway, model.Place) []*model.Plugin{
	byGateway,  // a Gateway of the plugin's own namespace
	byClass,    // a GatewayClass, from the root namespace
	byService,  // a Service or ServiceEntry of the plugin's own namespace, at whatever waypoint it uses
	bySelector, // a selector or nothing: ingress gateways of the own namespace; of all, from the root namespace
}

// Resolve is the ordered plugins of a place. The place must be one of the Gateway's Places.
func (r Rules) Resolve(place model.Place) model.PluginSet {
	set, _ := r.resolve(place)
	return set
}

// resolve also tells which NETWORK plugins found no slot.
func (r Rules) resolve(place model.Place) (set model.PluginSet, left []*model.Plugin) {
	gateway := r.Gateway(place.Gateway)
	if gateway == nil && place.Side == "" {
		return set, nil
	}
	var plugins []*model.Plugin
	a := &attempt{root: r.Root(), gateway: gateway, place: place}
	take := func(list []*model.Plugin) {
		for _, p := range list {
			if a.plugin = p; p.Invalid == "" && failedCheck(a) == len(placeChecks) {
				plugins = append(plugins, p)
			}
		}
	}
	if place.Side != "" {
		take(r.workloadPlugins(r.Workload(place.Gateway)))
	} else {
		for _, way := range ways {
			take(way(r, gateway, place))
		}
	}
	slices.SortFunc(plugins, Compare)
	return arrange(slices.Compact(plugins)) // A plugin that came by two ways runs once.
}

func byGateway(r Rules, gateway *gatewayv1.Gateway, _ model.Place) []*model.Plugin {
	return fromNamespace(r.PluginsTargeting(GatewayTarget(nameOf(gateway))), gateway.Namespace)
}

func byClass(r Rules, gateway *gatewayv1.Gateway, _ model.Place) []*model.Plugin {
	return fromNamespace(r.PluginsTargeting(ClassTarget(string(gateway.Spec.GatewayClassName))), r.Root())
}

func byService(r Rules, _ *gatewayv1.Gateway, place model.Place) []*model.Plugin {
	if place.Service.IsZero() {
		return nil
	}
	return fromNamespace(r.PluginsTargeting(ServiceTarget(place.Service)), place.Service.Namespace)
}

func bySelector(r Rules, gateway *gatewayv1.Gateway, place model.Place) []*model.Plugin {
	if place.Waypoint {
		return nil
	}
	plugins := r.untargetedFor(gateway.Namespace)
	if len(plugins) == 0 {
		return nil
	}
	labels := ProxyLabels(gateway)
	var selected []*model.Plugin
	for _, p := range plugins {
		if selects(p.Selector, labels) {
			selected = append(selected, p)
		}
	}
	return selected
}

func fromNamespace(plugins []*model.Plugin, namespace string) []*model.Plugin {
	outside := func(p *model.Plugin) bool { return p.Namespace != namespace }
	if !slices.ContainsFunc(plugins, outside) {
		return plugins
	}
	return slices.DeleteFunc(slices.Clone(plugins), outside)
}

// ProxyLabels are the labels that the proxies of a Gateway carry: those of spec.infrastructure, and the two standard
// ones. The labels of the Gateway object itself are not among them (GEP-1762).
func ProxyLabels(gateway *gatewayv1.Gateway) map[string]string {
	labels := map[string]string{}
	if gateway.Spec.Infrastructure != nil {
		for key, value := range gateway.Spec.Infrastructure.Labels {
			labels[string(key)] = string(value)
		}
	}
	labels[extv1.LabelGatewayName] = gateway.Name
	labels[extv1.LabelGatewayClassName] = string(gateway.Spec.GatewayClassName)
	return labels
}

// selects is the subset test of matchLabels; nil and empty select everything.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}
