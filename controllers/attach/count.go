package attach

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// tally counts places that a plugin reaches: where it runs, and how far it came elsewhere.
type tally struct {
	places int
	scopes []model.Scope
	noSlot int // places where the plugin passed all checks and found the network slots taken
	// failed is the last of placeChecks (or their number, for noSlot) that stopped the plugin, with the Gateway where that
	// was first, its first such place, and the ports that were stopped there.
	failed  int
	gateway *gatewayv1.Gateway
	place   model.Place
	ports   []int32
}

// tallyOf counts some places of one Gateway.
func (j *judge) tallyOf(gateway *gatewayv1.Gateway, places iter.Seq[model.Place]) tally {
	t := tally{failed: -1}
	a := &attempt{root: j.Root(), plugin: j.plugin, gateway: gateway}
	for place := range places {
		t.places++
		a.place = place
		failed := failedCheck(a)
		switch {
		case failed < len(placeChecks):
			t.stopped(failed, gateway, place, place.Port)
		case j.foundNoSlot(j.plugin, place):
			t.noSlot++
			t.stopped(failed, gateway, place, place.Port)
		default:
			t.scopes = append(t.scopes, place.Scope)
		}
	}
	return t
}

func (t *tally) stopped(failed int, gateway *gatewayv1.Gateway, place model.Place, ports ...int32) {
	if failed < t.failed {
		return
	}
	if failed > t.failed {
		t.failed, t.gateway, t.place, t.ports = failed, gateway, place, nil
	}
	for _, port := range ports {
		if len(t.ports) <= portsInMessages && !slices.Contains(t.ports, port) {
			t.ports = append(t.ports, port)
		}
	}
}

// sum adds tallies of several Gateways up, in order.
func sum(tallies []tally) tally {
	all := tally{failed: -1}
	scopes := 0
	for i := range tallies {
		scopes += len(tallies[i].scopes)
	}
	if scopes > 0 {
		all.scopes = make([]model.Scope, 0, scopes)
	}
	for i := range tallies {
		t := &tallies[i]
		all.places += t.places
		all.noSlot += t.noSlot
		all.scopes = append(all.scopes, t.scopes...)
		if t.failed >= 0 {
			all.stopped(t.failed, t.gateway, t.place, t.ports...)
		}
	}
	return all
}

// count is the tally of one target.
type count struct {
	*judge
	tally
	subject string // the target, for messages
}

// verdict sums the count up. There must be at least one place.
func (c *count) verdict(target model.TargetRef) model.Verdict {
	if len(c.scopes) > 0 {
		message := "Attached to " + c.subject
		if c.noSlot > 0 {
			message += fmt.Sprintf("; left out at %d of %d places, where all %d network slots are taken by plugins that "+
				"come earlier", c.noSlot, c.places, model.NetworkSlots)
		}
		return model.Verdict{
			Target: target, Accepted: true, Reason: extv1.ReasonAccepted, Message: message, Scopes: c.scopes,
		}
	}
	reason := extv1.ReasonTooManyNetworkPlugins
	if c.failed < len(placeChecks) {
		reason = placeChecks[c.failed].reason
	}
	return refuse(target, reason, c.message(reason))
}

func (c *count) message(reason string) string {
	switch reason {
	case extv1.ReasonOtherRevision:
		return fmt.Sprintf("Istio programs %s and runs this plugin there itself; label it %s=%s if wasmpoint is to run it",
			c.subject, extv1.LabelRevision, extv1.Revision)
	case extv1.ReasonNotPermitted:
		return c.notPermitted()
	case extv1.ReasonNoMatchingMode:
		return c.noMatchingMode()
	case extv1.ReasonNoMatchingPort:
		return fmt.Sprintf("match.ports %s names no port of %s, which has %s; correct match.ports",
			joinPorts(c.wantedPorts()), c.subject, joinPorts(c.ports))
	case extv1.ReasonProtocolMismatch:
		return c.protocolMismatch()
	}
	return fmt.Sprintf("All %d network slots of %s are taken by plugins that come earlier; raise priority, or remove a "+
		"NETWORK plugin", model.NetworkSlots, c.subject)
}

func (c *count) notPermitted() string {
	annotation := missingPermission(c.plugin, c.gateway, c.Root())
	what := "Lua"
	if annotation == extv1.AnnotationAllowHostEnvFrom {
		what = "vmConfig.env valueFrom HOST"
	}
	return fmt.Sprintf("%s from namespace %s is not allowed in %s; its owner can allow it with the annotation %s: %s",
		what, c.plugin.Namespace, gatewaySubject(c.gateway), annotation, c.plugin.Namespace)
}

func (c *count) noMatchingMode() string {
	if c.place.Side != "" {
		return fmt.Sprintf("match.mode leaves out all that %s ask for; use CLIENT for gateways and what goes out of a sidecar, "+
			"SERVER for what comes into one, or CLIENT_AND_SERVER", c.subject)
	}
	mode, side := model.ModeServer, "an ingress gateway"
	if c.place.Waypoint {
		mode, side = model.ModeClient, "a waypoint"
	}
	return fmt.Sprintf("match.mode %s does not apply to %s, which is on the side of %s; use CLIENT at ingress gateways, "+
		"SERVER at waypoints, or CLIENT_AND_SERVER", mode, c.subject, side)
}

func (c *count) protocolMismatch() string {
	switch {
	case c.place.Side != "":
		return fmt.Sprintf("type %s needs slots of that kind, and %s ask for others on %s; add the slots to their listeners",
			c.plugin.Type, c.subject, joinPorts(c.ports))
	case c.plugin.Type == model.TypeNetwork:
		return fmt.Sprintf("type NETWORK runs at waypoints on TCP ports only, and %s has HTTP on %s; use type HTTP",
			c.subject, joinPorts(c.ports))
	case c.place.Waypoint:
		return fmt.Sprintf("type HTTP needs an HTTP port, and %s has TCP on %s; set appProtocol (for example http) on the "+
			"port if it speaks HTTP, or use type NETWORK", c.subject, joinPorts(c.ports))
	}
	return fmt.Sprintf("type HTTP needs a listener of protocol HTTP or HTTPS, and %s has other protocols on %s; add such a "+
		"listener, or use type NETWORK", c.subject, joinPorts(c.ports))
}

// wantedPorts are the ports of the match entries that apply to the place's side.
func (c *count) wantedPorts() []int32 {
	var ports []int32
	for _, m := range c.plugin.Match {
		if onSide(m.Mode, c.place.Server()) {
			ports = append(ports, m.Ports...)
		}
	}
	return ports
}

// portsInMessages is how many ports a message names.
const portsInMessages = 8

func joinPorts(ports []int32) string {
	var words []string
	for i, port := range ports {
		if i == portsInMessages {
			words = append(words, "…")
			break
		}
		words = append(words, strconv.Itoa(int(port)))
	}
	return strings.Join(words, ", ")
}
