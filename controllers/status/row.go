package status

import (
	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// NewPluginRow is the compact form of what Build says about the same input; Previous and Now are not looked at.
func NewPluginRow(in Input) PluginRow {
	p, all := in.Plugin, outcomes(in)
	accepted, programmed := summary(in, all)
	row := PluginRow{
		Kind: p.Kind, Namespace: p.Namespace, Name: p.Name,
		Type: string(p.Type), Phase: string(p.Phase), Priority: p.Priority,
		Generation: p.Generation, Created: p.Created,
		Accepted: accepted.ok, Reason: accepted.reason, Message: accepted.message,
		Programmed: programmed.ok, ProgrammedReason: programmed.reason,
		Targets: make([]TargetRow, 0, len(all)),
	}
	var fine []outcome
	for _, o := range all {
		t := TargetRow{
			Group: o.target.Group, Kind: o.target.Kind, Namespace: o.target.Namespace, Name: o.target.Name,
			Accepted: o.accepted.ok, Reason: o.accepted.reason, Message: o.accepted.message,
		}
		if o.attached {
			fine = append(fine, o)
			t.Programmed, t.ProgrammedReason, t.ProgrammedMessage = o.programmed.ok, o.programmed.reason, o.programmed.message
			t.Running, t.Total = o.proxies.Running, o.proxies.Total
		}
		row.Targets = append(row.Targets, t)
	}
	sum := overall(in, fine)
	row.Running, row.Total = sum.Running, sum.Total
	if p.Wasm != nil {
		r := resolved(in)
		row.Module = ModuleRow{
			URL: p.Wasm.URL, Digest: in.Module.Digest, Ready: in.Module.Ready, Reason: r.reason,
			Error: in.Module.Err, Attempts: in.Module.Attempts, NextTry: in.Module.NextTry,
		}
	}
	row.LastError = lastError(in, accepted, fine)
	return row
}

// lastError picks what a user has to solve first: the attachment, then the module, then what a proxy refused.
func lastError(in Input, accepted answer, fine []outcome) string {
	if !accepted.ok && accepted.reason != ext.ReasonReconciling {
		return accepted.reason + ": " + accepted.message
	}
	if in.Plugin.Wasm != nil && !in.Module.Ready && in.Module.Err != "" {
		r := resolved(in)
		return r.reason + ": " + r.message
	}
	return refusals(overall(in, fine).Refusals)
}
