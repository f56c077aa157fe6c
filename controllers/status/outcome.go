package status

import (
	"cmp"
	"fmt"
	"slices"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// answer is one condition before it has a time and a generation.
type answer struct {
	ok      bool
	reason  string
	message string
}

// outcome is everything that is said about one ancestor.
type outcome struct {
	target   model.TargetRef
	accepted answer
	// attached says that a generation of the plugin is in force here. It differs from accepted.ok when that is an older one.
	attached bool
	// programmed is the zero answer unless attached (GEP-713: no Programmed on a policy that is not accepted).
	programmed answer
	proxies    Proxies
	scopes     []model.Scope
	// waypoint says that the target is a waypoint, a class of waypoints, or an object behind one.
	waypoint bool
}

// gatewayGroup is the API group of Gateway and GatewayClass.
const gatewayGroup = "gateway.networking.k8s.io"

// outcomes are the ancestors of a plugin in order: one per declared target, a repeated reference only once because
// ancestors are a map keyed by reference; or one per GatewayClass reached, and one for external proxies.
func outcomes(in Input) []outcome {
	var out []outcome
	if len(in.Plugin.Targets) > 0 {
		for _, t := range in.Targets {
			if slices.ContainsFunc(out, func(o outcome) bool { return o.target == t.Target }) {
				continue
			}
			out = append(out, judge(in, t))
		}
		return out
	}
	for _, c := range byClass(in.Targets) {
		out = append(out, judge(in, c))
	}
	for _, t := range in.Targets {
		if t.Target.Kind == "Namespace" { // external proxies
			out = append(out, judge(in, t))
		}
	}
	return out
}

// byClass folds the Gateways that a plugin without targets reaches into one target per GatewayClass, sorted by name.
// A Gateway belongs to one class and a proxy to one Gateway, so the counts add up.
func byClass(targets []Target) []Target {
	var out []Target
	for _, t := range targets {
		if t.GatewayClass == "" {
			continue
		}
		i := slices.IndexFunc(out, func(o Target) bool { return o.GatewayClass == t.GatewayClass })
		if i < 0 {
			t.Target = model.TargetRef{Group: gatewayGroup, Kind: "GatewayClass", Name: t.GatewayClass}
			out = append(out, t)
			continue
		}
		o := &out[i]
		switch {
		case t.Accepted && !o.Accepted:
			// One Gateway that takes the plugin is enough for the class: the others are none of the plugin's declared targets.
			o.Accepted, o.Reason, o.Message, o.Scopes = true, t.Reason, t.Message, t.Scopes
			o.Proxies = t.Proxies
		case t.Accepted:
			o.Scopes = slices.Concat(o.Scopes, t.Scopes)
			o.Proxies = add(o.Proxies, t.Proxies)
		}
	}
	slices.SortFunc(out, func(a, b Target) int { return cmp.Compare(a.GatewayClass, b.GatewayClass) })
	return out
}

// add sums two counts that share no proxy; notes that say the same stand once.
func add(a, b Proxies) Proxies {
	notes := slices.Clone(a.Notes)
	for _, n := range b.Notes {
		if !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return Proxies{
		Total:    a.Total + b.Total,
		Running:  a.Running + b.Running,
		Refusals: slices.Concat(a.Refusals, b.Refusals),
		Notes:    notes,
	}
}

// judge says what is true of one target.
func judge(in Input, t Target) outcome {
	o := outcome{target: t.Target, attached: t.Accepted, proxies: t.Proxies, scopes: t.Scopes, waypoint: concernsWaypoint(t)}
	o.accepted = answer{ok: t.Accepted, reason: t.Reason, message: t.Message}
	if t.Accepted {
		o.accepted.reason = ext.ReasonAccepted
		if t.Message == "" {
			o.accepted.message = places(t.Scopes)
		}
		o.programmed = programmed(in, t.Proxies)
	}
	if in.Superseded != "" {
		o.accepted = superseded(in, t)
		if o.attached {
			o.programmed = answer{reason: ext.ReasonSuperseded, message: inForce(in) + o.programmed.message}
		}
	}
	return o
}

// superseded is the Accepted of an object whose current generation is invalid. It is False whatever the target says about
// the older generation: "accepted" would be read as being about what the object says now.
func superseded(in Input, t Target) answer {
	message := fmt.Sprintf("generation %d is invalid: %s; generation %d stays in force", in.generation(), clip(in.Superseded), in.Plugin.Generation)
	if !t.Accepted && t.Message != "" {
		message += ", but not here: " + t.Message
	}
	return answer{reason: ext.ReasonInvalid, message: message}
}

// inForce says which generation a text speaks of.
func inForce(in Input) string { return fmt.Sprintf("generation %d: ", in.Plugin.Generation) }

// resolved says whether the module is here. Attempts and the time of the next try stay out of the message: with them,
// every tick of a back-off would be a status write.
func resolved(in Input) answer {
	m := in.Module
	switch {
	case in.Plugin.Wasm == nil:
		return answer{true, ext.ReasonResolvedRefs, "the source is inline; no module is needed"}
	case m.Ready:
		return answer{true, ext.ReasonResolvedRefs, "module " + m.Digest}
	case m.Reason == "" || m.Reason == ext.ReasonFetching:
		if m.Err == "" {
			return answer{false, ext.ReasonFetching, "fetching " + in.Plugin.Wasm.URL}
		}
		return answer{false, ext.ReasonFetching, "fetching " + in.Plugin.Wasm.URL + "; last error: " + clip(m.Err)}
	default:
		return answer{false, m.Reason, about(in.Plugin.Wasm.URL, clip(m.Err))}
	}
}

// programmed says whether every connected proxy runs the plugin. It comes from what the proxies said, never from the
// fact that something was sent: a plugin whose module cannot be had any more, but that runs everywhere, is programmed.
func programmed(in Input, p Proxies) answer {
	a := answer{}
	switch {
	case p.Total > 0 && p.Running >= p.Total:
		a.ok, a.reason = true, ext.ReasonProgrammed
	case in.Plugin.Wasm != nil && !in.Module.Ready:
		a.reason = ext.ReasonModuleMissing
	case p.Total == 0:
		a.reason = ext.ReasonNoProxies
	case len(p.Refusals) > 0:
		a.reason = ext.ReasonRefused
	default:
		a.reason = ext.ReasonReconciling
	}
	a.message = proxiesMessage(p)
	return a
}
