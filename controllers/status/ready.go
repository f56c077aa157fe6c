package status

import (
	"slices"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// readiness is kstatus' Ready: True only when Accepted, ResolvedRefs and Programmed are True for the current generation.
// Otherwise it repeats the first that is not: what is not attached cannot run, and what has no module cannot either.
func readiness(in Input, say []statement) answer {
	message := ""
	for _, s := range say {
		for _, old := range in.Previous.Conditions {
			if old.Type == s.kind && old.ObservedGeneration > in.generation() {
				return answer{reason: ext.ReasonReconciling, message: "a newer generation of the object was observed already"}
			}
		}
		if !s.ok {
			return answer{reason: s.reason, message: s.message}
		}
		message = s.message
	}
	return answer{ok: true, reason: ext.ReasonReady, message: message}
}

// columns are the texts that kubectl get shows.
func columns(in Input, all []outcome) ext.StatusSummary {
	var names []string
	for _, o := range all {
		names = append(names, o.target.Kind+"/"+o.target.Name)
	}
	if len(all) == 0 { // nothing was looked at yet
		for _, t := range in.Plugin.Targets {
			if name := t.Kind + "/" + t.Name; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	out := ext.StatusSummary{Targets: firstOf(names)}
	switch {
	case in.Plugin.Lua != "":
		out.Module = "lua"
	case in.Plugin.Wasm != nil:
		out.Module = short(in.Module.Digest)
	}
	return out
}
