package attach

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// untargeted judges a plugin without targets: every ingress Gateway in reach whose proxies the selector matches, and the
// external proxies. In reach are those of the plugin's namespace, and all of them from the root namespace.
func (j *judge) untargeted() []model.Verdict {
	if j.plugin.Invalid != "" {
		return []model.Verdict{refuse(model.TargetRef{}, extv1.ReasonInvalid, j.plugin.Invalid)}
	}
	inReach := j.GatewaysIn(j.plugin.Namespace)
	if j.plugin.Namespace == j.Root() {
		inReach = j.Gateways()
	}
	var verdicts []model.Verdict
	ingress, waypoints := 0, 0
	for _, gateway := range inReach {
		if j.isWaypoint(gateway) {
			waypoints++
			continue
		}
		ingress++
		if len(j.plugin.Selector) == 0 || selects(j.plugin.Selector, ProxyLabels(gateway)) {
			verdicts = append(verdicts, j.atGateway(GatewayTarget(nameOf(gateway)), gateway))
		}
	}
	if external, any := j.workloads(); any {
		verdicts = append(verdicts, external)
	}
	if len(verdicts) == 0 {
		return []model.Verdict{j.reachesNothing(inReach, ingress, waypoints)}
	}
	return withoutIstios(verdicts)
}

// withoutIstios leaves out what istiod runs the plugin on itself, if the plugin runs anywhere else: nobody declared that.
func withoutIstios(verdicts []model.Verdict) []model.Verdict {
	if !slices.ContainsFunc(verdicts, func(v model.Verdict) bool { return v.Accepted }) {
		return verdicts
	}
	return slices.DeleteFunc(verdicts, func(v model.Verdict) bool { return v.Reason == extv1.ReasonOtherRevision })
}

func (j *judge) reachesNothing(inReach []*gatewayv1.Gateway, ingress, waypoints int) model.Verdict {
	where := "Namespace " + j.plugin.Namespace
	if j.plugin.Namespace == j.Root() {
		where = "The cluster"
	}
	var none model.TargetRef
	switch {
	case ingress > 0:
		return refuse(none, extv1.ReasonSelectorMatchesNothing, fmt.Sprintf("selector.matchLabels match the proxies of no "+
			"ingress Gateway in reach (of %d); correct them, or set them in spec.infrastructure.labels of a Gateway", ingress))
	case len(j.workloadsInReach(j.plugin)) > 0:
		return refuse(none, extv1.ReasonSelectorMatchesNothing, "selector.matchLabels match the Pod of no external proxy in "+
			"reach; correct them, or label the Pods")
	case waypoints > 0:
		return refuse(none, extv1.ReasonWaypointNeedsTargetRef, fmt.Sprintf("%s has waypoints only (such as %s), and these "+
			"take plugins by targetRefs alone; name the Gateway or the Service in targetRefs", where, nameOf(inReach[0])))
	}
	return refuse(none, extv1.ReasonNoGatewayInReach, fmt.Sprintf("%s has no Gateway that this plugin could run in; "+
		"create one, or name a target in targetRefs", where))
}
