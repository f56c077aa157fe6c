package status

import (
	"fmt"
	"slices"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// summary is what status.conditions says over all targets. Accepted is true only when every declared target accepted
// the plugin: a plugin that is missing in one declared place is not "accepted", whatever the other places say.
// Programmed covers the accepted targets; it is the zero answer when there are none.
func summary(in Input, all []outcome) (accepted, programmed answer) {
	if len(all) == 0 {
		return nowhere(in), answer{}
	}
	var refused []string
	var fine []outcome
	for _, o := range all {
		if o.attached {
			fine = append(fine, o)
			continue
		}
		if len(refused) == 0 {
			accepted.reason = o.accepted.reason
		}
		refused = append(refused, about(targetText(o.target), o.accepted.message))
	}
	switch {
	case len(all) == 1:
		accepted = all[0].accepted
	case in.Superseded != "":
		accepted = superseded(in, Target{})
	case len(refused) == 0:
		accepted = answer{true, ext.ReasonAccepted, fmt.Sprintf("%d/%d targets accepted", len(all), len(all))}
	default:
		accepted.message = fmt.Sprintf("%d/%d targets accepted; %s", len(fine), len(all), few(refused, "; "))
	}
	if len(fine) == 0 {
		return accepted, answer{}
	}
	return accepted, programmedOverall(in, fine)
}

// nowhere is the answer for a plugin that has no ancestor: it has no declared target and reaches no Gateway, or its
// verdicts are not computed yet.
func nowhere(in Input) answer {
	for _, t := range in.Targets {
		if !t.Accepted {
			return answer{reason: t.Reason, message: t.Message}
		}
	}
	if in.Superseded != "" {
		return superseded(in, Target{})
	}
	if in.Plugin.Invalid != "" {
		return answer{reason: ext.ReasonInvalid, message: in.Plugin.Invalid}
	}
	return answer{reason: ext.ReasonReconciling, message: "the plugin's targets were not looked at yet"}
}

// severity orders the reasons of Programmed=False: the summary says the worst one.
var severity = []string{ext.ReasonSuperseded, ext.ReasonRefused, ext.ReasonModuleMissing, ext.ReasonReconciling, ext.ReasonNoProxies}

// programmedOverall joins the accepted targets: true when all are programmed, else the worst reason with the counts.
func programmedOverall(in Input, fine []outcome) answer {
	worst, done := outcome{}, 0
	for _, o := range fine {
		switch {
		case o.programmed.ok:
			done++
		case worst.programmed.reason == "" || slices.Index(severity, o.programmed.reason) < slices.Index(severity, worst.programmed.reason):
			worst = o
		}
	}
	a := answer{ok: done == len(fine), reason: ext.ReasonProgrammed}
	if !a.ok {
		a.reason = worst.programmed.reason
	}
	a.message = proxiesMessage(overall(in, fine))
	if in.Superseded != "" {
		a.message = inForce(in) + a.message
	}
	if !a.ok && len(fine) > 1 {
		a.message = fmt.Sprintf("%d/%d targets programmed; %s: %s", done, len(fine), targetText(worst.target), worst.programmed.message)
	}
	return a
}

// overall counts the proxies of all accepted targets.
func overall(in Input, fine []outcome) Proxies {
	if in.Overall != nil {
		return *in.Overall
	}
	var sum Proxies
	for _, o := range fine {
		sum = add(sum, o.proxies)
	}
	return sum
}
