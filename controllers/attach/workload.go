package attach

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// istioControllers begins the controller names of Istio's GatewayClasses.
const istioControllers = "istio.io/"

// ProgrammedByIstio tells whether a Gateway's proxies get their listeners from Istio: its class says so, and is no alias of
// ours. istiod makes its GatewayClasses itself, so they are there wherever it is at work.
func (r Rules) ProgrammedByIstio(gateway *gatewayv1.Gateway) bool {
	class := string(gateway.Spec.GatewayClassName)
	if r.Class(class) != class {
		return false
	}
	c := r.GatewayClass(class)
	return c != nil && strings.HasPrefix(string(c.Spec.ControllerName), istioControllers)
}

// WorkloadsTarget stands in the verdict on the external proxies that a plugin without targets reaches: they are no object, so
// the plugin's own namespace is named, from the root namespace also for those of all others.
func WorkloadsTarget(namespace string) model.TargetRef {
	return model.TargetRef{Kind: kindNamespace, Name: namespace}
}

// kindNamespace is no kind that can be targeted.
const kindNamespace = "Namespace"

// workloadPlaces are the places of external proxies, sorted.
func workloadPlaces(w *model.Workload) []model.Place {
	places := make([]model.Place, 0, len(w.Ports))
	for _, p := range w.Ports {
		places = append(places, model.Place{
			Scope: model.Scope{Gateway: w.NamespacedName(), Side: p.Side, Port: p.Port},
			HTTP:  p.HTTP, Network: p.Network, Istio: w.Istio,
		})
	}
	slices.SortFunc(places, func(a, b model.Place) int { return CompareScopes(a.Scope, b.Scope) })
	return places
}

// workloadPlugins are the plugins that reach external proxies: those without targets whose selector the Pods' labels match, of
// the own namespace and of the root namespace.
func (r Rules) workloadPlugins(w *model.Workload) []*model.Plugin {
	if w == nil {
		return nil
	}
	var selected []*model.Plugin
	for _, p := range r.untargetedFor(w.Namespace) {
		if selects(p.Selector, w.Labels) {
			selected = append(selected, p)
		}
	}
	return selected
}

// untargetedFor are the plugins without targets that reach into a namespace.
func (r Rules) untargetedFor(namespace string) []*model.Plugin {
	plugins := r.UntargetedPlugins(namespace)
	if namespace != r.Root() {
		plugins = slices.Concat(plugins, r.UntargetedPlugins(r.Root()))
	}
	return plugins
}

// workloadsInReach are the external proxies of a plugin's namespace, and all of them from the root namespace.
func (r Rules) workloadsInReach(p *model.Plugin) []*model.Workload {
	if p.Namespace == r.Root() {
		return r.Workloads()
	}
	return r.WorkloadsIn(p.Namespace)
}

// workloadsOf are the external proxies that a plugin reaches. Of its labels it looks the rarest up, so that a plugin for one
// workload does not walk all.
func (r Rules) workloadsOf(p *model.Plugin) []*model.Workload {
	if len(p.Targets) > 0 {
		return nil
	}
	if len(p.Selector) == 0 {
		return r.workloadsInReach(p)
	}
	namespace := p.Namespace
	if namespace == r.Root() {
		namespace = ""
	}
	var fewest []*model.Workload
	first := true
	for key, value := range p.Selector {
		if with := r.WorkloadsWith(namespace, key, value); first || len(with) < len(fewest) {
			fewest, first = with, false
		}
	}
	var reached []*model.Workload
	for _, w := range fewest {
		if selects(p.Selector, w.Labels) {
			reached = append(reached, w)
		}
	}
	return reached
}

// workloads is the verdict on external proxies, false if the plugin reaches none that asks for a slot.
func (j *judge) workloads() (model.Verdict, bool) {
	var tallies []tally
	for _, w := range j.workloadsOf(j.plugin) {
		tallies = append(tallies, j.workloadTally(j, w))
	}
	c := &count{j, sum(tallies), "external proxies of namespace " + j.plugin.Namespace}
	if j.plugin.Namespace == j.Root() {
		c.subject = "external proxies of all namespaces"
	}
	if c.places == 0 {
		return model.Verdict{}, false
	}
	return c.verdict(WorkloadsTarget(j.plugin.Namespace)), true
}

// revisionMatches: on proxies that Istio programs, istiod runs every plugin but those of a revision that it is not.
func revisionMatches(a *attempt) bool { return !a.place.Istio || a.plugin.Revision == extv1.Revision }
