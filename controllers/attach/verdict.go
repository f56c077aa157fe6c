package attach

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Verdicts says what became of every target of a plugin: one verdict per declared target in declared order, duplicates
// included. A plugin without targets has one for each Gateway that it reaches, or a single one, whose Target is zero, with
// the reason why it reaches none.
func (r Rules) Verdicts(plugin *model.Plugin) []model.Verdict {
	return r.verdicts(newSnapshot(r), plugin)
}

func (r Rules) verdicts(t topology, plugin *model.Plugin) []model.Verdict {
	j := &judge{Rules: r, topology: t, plugin: plugin}
	if len(plugin.Targets) == 0 {
		return j.untargeted()
	}
	verdicts := make([]model.Verdict, 0, len(plugin.Targets))
	for _, target := range plugin.Targets {
		verdicts = append(verdicts, j.target(target))
	}
	return verdicts
}

// judge judges the targets of one plugin.
type judge struct {
	Rules
	topology
	plugin *model.Plugin
}

// targetKinds is the list of what a plugin can target.
var targetKinds = []struct {
	group, kind string
	judge       func(*judge, model.TargetRef) model.Verdict
}{
	{gatewayv1.GroupName, kindGateway, (*judge).gatewayTarget},
	{gatewayv1.GroupName, kindGatewayClass, (*judge).classTarget},
	{"", kindService, (*judge).serviceTarget},
	{networkingv1.GroupName, kindServiceEntry, (*judge).serviceTarget},
}

func (j *judge) target(target model.TargetRef) model.Verdict {
	if j.plugin.Invalid != "" {
		return refuse(target, extv1.ReasonInvalid, j.plugin.Invalid)
	}
	for _, known := range targetKinds {
		if known.group != target.Group || known.kind != target.Kind {
			continue
		}
		if target.Namespace != "" && target.Namespace != j.plugin.Namespace {
			return refuse(target, extv1.ReasonInvalid, fmt.Sprintf("targetRefs namespace %s is not the plugin's own; "+
				"leave the field out, or move the plugin to namespace %s", target.Namespace, target.Namespace))
		}
		return known.judge(j, target)
	}
	return refuse(target, extv1.ReasonTargetKindUnknown, fmt.Sprintf("targetRefs kind %s of group %q cannot be targeted; "+
		"use Gateway, GatewayClass (gateway.networking.k8s.io), Service (group \"\") or ServiceEntry (networking.istio.io)",
		target.Kind, target.Group))
}

func (j *judge) gatewayTarget(target model.TargetRef) model.Verdict {
	gateway := j.Gateway(types.NamespacedName{Namespace: target.Namespace, Name: target.Name})
	if gateway == nil {
		return refuse(target, extv1.ReasonTargetNotFound, notFound("Gateway "+target.Namespace+"/"+target.Name))
	}
	return j.atGateway(target, gateway)
}

func (j *judge) atGateway(target model.TargetRef, gateway *gatewayv1.Gateway) model.Verdict {
	c := &count{j, j.tallyOf(gateway, j.placesOf(gateway)), gatewaySubject(gateway)}
	if c.places == 0 {
		return refuse(target, extv1.ReasonTargetHasNoPorts, j.noPorts(gateway))
	}
	return c.verdict(target)
}

func (j *judge) noPorts(gateway *gatewayv1.Gateway) string {
	if j.isWaypoint(gateway) {
		return fmt.Sprintf("No Service uses waypoint %s; set the label %s=%s on a Service or a Namespace",
			nameOf(gateway), extv1.LabelUseWaypoint, gateway.Name)
	}
	return fmt.Sprintf("%s has no listener of protocol HTTP, HTTPS, TLS or TCP; add one to spec.listeners",
		gatewaySubject(gateway))
}

func (j *judge) classTarget(target model.TargetRef) model.Verdict {
	if j.plugin.Namespace != j.Root() {
		return refuse(target, extv1.ReasonRootNamespaceOnly, fmt.Sprintf("GatewayClass %s can be targeted from the root "+
			"namespace %s only; move the plugin there, or target a Gateway of namespace %s",
			target.Name, j.Root(), j.plugin.Namespace))
	}
	gateways := j.GatewaysOfClass(target.Name)
	switch {
	case len(gateways) > 0:
	case j.GatewayClass(target.Name) == nil && !j.knownClass(target.Name):
		return refuse(target, extv1.ReasonTargetNotFound, notFound("GatewayClass "+target.Name))
	default:
		return refuse(target, extv1.ReasonTargetHasNoGateways, fmt.Sprintf("No Gateway has gatewayClassName %s; "+
			"create one, or target another class", target.Name))
	}
	tallies := make([]tally, 0, len(gateways))
	for _, gateway := range gateways {
		tallies = append(tallies, j.tallyAt(j, gateway))
	}
	c := &count{j, sum(tallies), "the Gateways of class " + target.Name}
	if c.places == 0 {
		return refuse(target, extv1.ReasonTargetHasNoPorts, fmt.Sprintf("No Gateway of class %s has a listener, or a Service "+
			"that uses it as its waypoint; add one", target.Name))
	}
	return c.verdict(target)
}

func (j *judge) serviceTarget(target model.TargetRef) model.Verdict {
	key := model.ServiceKey{Kind: target.Kind, Namespace: target.Namespace, Name: target.Name}
	binding, places := j.serviceAt(key)
	switch {
	case !binding.Bound():
		return refuse(target, binding.Reason, binding.Message)
	case len(places) == 0:
		return refuse(target, extv1.ReasonTargetHasNoPorts, fmt.Sprintf("%s has no port that is carried over TCP; "+
			"add one to spec.ports", subject(key)))
	}
	c := &count{
		j, j.tallyOf(j.Gateway(binding.Waypoint), slices.Values(places)),
		fmt.Sprintf("%s at waypoint %s", subject(key), binding.Waypoint),
	}
	return c.verdict(target)
}

func refuse(target model.TargetRef, reason, message string) model.Verdict {
	return model.Verdict{Target: target, Reason: reason, Message: message}
}

func notFound(subject string) string {
	return subject + " does not exist; create it, or correct the name in targetRefs"
}

func gatewaySubject(gateway *gatewayv1.Gateway) string { return "Gateway " + nameOf(gateway).String() }
