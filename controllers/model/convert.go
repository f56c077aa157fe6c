package model

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// FromWasmPlugin turns a WasmPlugin into the neutral form and fills in the API's defaults. It never fails: what is wrong
// with the object stands in Plugin.Invalid. Nil gives nil. The caller sets SourceDir.
func FromWasmPlugin(in *v1alpha1.WasmPlugin) *Plugin {
	if in == nil {
		return nil
	}
	var bad problems
	p := newPlugin(v1alpha1.KindWasmPlugin, &in.ObjectMeta)
	p.Phase = phase(string(in.Spec.Phase), v1alpha1.KindWasmPlugin, string(v1alpha1.PhaseUnspecified), &bad)
	p.Priority = copyInt32(in.Spec.Priority)
	p.Match = match(in.Spec.Match, &bad)
	p.Selector = selector(in.Spec.Selector, &bad)
	refs, path := in.Spec.TargetRefs, "spec.targetRefs"
	if len(refs) == 0 && in.Spec.TargetRef != nil {
		refs, path = []v1alpha1.PolicyTargetReference{*in.Spec.TargetRef}, "spec.targetRef"
	}
	p.Targets = targets(refs, path, p.Namespace, &bad)
	oneAttachment(&bad, in.Spec.Selector != nil, in.Spec.TargetRef != nil, in.Spec.TargetRefs != nil)
	setWasm(p, &in.Spec.WasmConfig, "spec", &bad)
	p.Invalid = bad.text()
	return p
}

// FromTrafficExtension does for a TrafficExtension what FromWasmPlugin does for a WasmPlugin.
func FromTrafficExtension(in *v1alpha1.TrafficExtension) *Plugin {
	if in == nil {
		return nil
	}
	var bad problems
	p := newPlugin(v1alpha1.KindTrafficExtension, &in.ObjectMeta)
	p.Phase = phase(string(in.Spec.Phase), v1alpha1.KindTrafficExtension, string(v1alpha1.ExecUnspecified), &bad)
	p.Priority = copyInt32(in.Spec.Priority)
	p.Match = match(in.Spec.Match, &bad)
	p.Selector = selector(in.Spec.Selector, &bad)
	p.Targets = targets(in.Spec.TargetRefs, "spec.targetRefs", p.Namespace, &bad)
	oneAttachment(&bad, in.Spec.Selector != nil, in.Spec.TargetRefs != nil)
	switch {
	case in.Spec.Wasm == nil && in.Spec.Lua == nil:
		bad.add("spec: neither wasm nor lua is set; set exactly one of them")
	case in.Spec.Wasm != nil && in.Spec.Lua != nil:
		bad.add("spec: both wasm and lua are set; set exactly one of them")
	}
	if in.Spec.Wasm != nil {
		setWasm(p, in.Spec.Wasm, "spec.wasm", &bad)
	}
	if in.Spec.Lua != nil {
		p.Lua = lua(in.Spec.Lua.InlineCode, &bad)
	}
	p.Invalid = bad.text()
	return p
}

// newPlugin fills in what both kinds take from their metadata, and the defaults.
func newPlugin(kind string, meta *metav1.ObjectMeta) *Plugin {
	return &Plugin{
		Key:          Key{Kind: kind, Namespace: meta.Namespace, Name: meta.Name},
		UID:          meta.UID,
		Generation:   meta.Generation,
		Created:      meta.CreationTimestamp.Time,
		Type:         TypeHTTP,
		FailStrategy: FailClose,
		Isolated:     meta.Annotations[v1alpha1.AnnotationIsolated] == "true",
		Revision:     meta.Labels[v1alpha1.LabelRevision],
	}
}

// oneAttachment is the CRD's rule, for an object that was stored before the CRD had it: nobody can tell which of several ways
// to attach was meant.
func oneAttachment(bad *problems, present ...bool) {
	n := 0
	for _, p := range present {
		if p {
			n++
		}
	}
	if n > 1 {
		bad.add("spec: only one of targetRefs or selector can be set")
	}
}

// targets normalises the group and resolves the namespace: GatewayClasses have none, everything else is looked up in
// the plugin's own.
func targets(refs []v1alpha1.PolicyTargetReference, path, namespace string, bad *problems) []TargetRef {
	var out []TargetRef
	for i, r := range refs {
		at := path
		if path == "spec.targetRefs" {
			at += "[" + strconv.Itoa(i) + "]"
		}
		if r.Name == "" {
			bad.addf("%s.name: must name the target", at)
		}
		if r.Namespace != "" && r.Namespace != namespace {
			bad.addf("%s.namespace: %q is not the plugin's namespace; a target in another namespace is not supported, move the plugin there", at, r.Namespace)
		}
		t := TargetRef{Group: r.Group, Kind: r.Kind, Namespace: namespace, Name: r.Name}
		if t.Group == "core" {
			t.Group = ""
		}
		if t.Kind == "GatewayClass" {
			t.Namespace = ""
		}
		out = append(out, t)
	}
	return out
}

// selector keeps apart "no selector" (nil) and "selects everything" (an empty map).
func selector(s *v1alpha1.WorkloadSelector, bad *problems) map[string]string {
	if s == nil {
		return nil
	}
	out := make(map[string]string, len(s.MatchLabels))
	for _, k := range sortedKeys(s.MatchLabels) {
		v := string(s.MatchLabels[k])
		switch {
		case k == "":
			bad.add("spec.selector.matchLabels: a key is empty; name the label")
		case strings.Contains(k, "*"), strings.Contains(v, "*"):
			bad.addf("spec.selector.matchLabels[%s]: %q: a wildcard is not supported, write the exact label", k, v)
		}
		out[k] = v
	}
	return out
}

// match drops nil entries. A port 0 is kept, since it is not "any port": it matches nothing.
func match(in []*v1alpha1.TrafficSelector, bad *problems) []TrafficSelector {
	var out []TrafficSelector
	for i, m := range in {
		if m == nil {
			continue
		}
		var t TrafficSelector
		switch m.Mode {
		case "", v1alpha1.ModeUndefined:
		case v1alpha1.ModeClient, v1alpha1.ModeServer, v1alpha1.ModeBoth:
			t.Mode = Mode(m.Mode)
		default:
			bad.addf("spec.match[%d].mode: %q is unknown; use CLIENT, SERVER or CLIENT_AND_SERVER", i, m.Mode)
		}
		for j, port := range m.Ports {
			if port.Number < 0 || port.Number > 65535 {
				bad.addf("spec.match[%d].ports[%d].number: %d is not a port; use 1 to 65535", i, j, port.Number)
			}
			t.Ports = append(t.Ports, port.Number)
		}
		out = append(out, t)
	}
	return out
}

func phase(s, kind, unspecified string, bad *problems) Phase {
	switch s {
	case "", unspecified:
		return PhaseUnspecified
	case string(PhaseAuthn), string(PhaseAuthz), string(PhaseStats):
		return Phase(s)
	}
	bad.addf("spec.phase: %q is not a phase of a %s; use AUTHN, AUTHZ, STATS or %s", s, kind, unspecified)
	return PhaseUnspecified
}

func copyInt32(p *int32) *int32 {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
