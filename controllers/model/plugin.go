package model

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Key names one plugin object; Kind is "WasmPlugin" or "TrafficExtension", and of a MeshPolicy its own. Two objects of different
// kind may share namespace and name.
type Key struct {
	Kind      string
	Namespace string
	Name      string
}

// NamespacedName is the key without its kind.
func (k Key) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Namespace, Name: k.Name}
}

// String is "Kind namespace/name", the form that logs and messages use.
func (k Key) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

// Compare orders keys by namespace, name and kind.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name), cmp.Compare(k.Kind, o.Kind))
}

// Phase is the place of a plugin in the filter chain (extensions.istio.io PluginPhase).
type Phase string

// The four phases. UNSPECIFIED_PHASE (WasmPlugin) and UNSPECIFIED (TrafficExtension) are one phase.
const (
	PhaseAuthn       Phase = "AUTHN"
	PhaseAuthz       Phase = "AUTHZ"
	PhaseStats       Phase = "STATS"
	PhaseUnspecified Phase = "UNSPECIFIED"
)

// Phases lists the phases in the order in which a request meets them.
var Phases = [4]Phase{PhaseAuthn, PhaseAuthz, PhaseStats, PhaseUnspecified}

// Index is the phase's place in Phases; an unknown phase counts as unspecified.
func (p Phase) Index() int {
	for i, q := range Phases {
		if p == q {
			return i
		}
	}
	return 3
}

// Type says whether a plugin works on HTTP requests or on connections.
type Type string

// The plugin types; an unspecified type is HTTP.
const (
	TypeHTTP    Type = "HTTP"
	TypeNetwork Type = "NETWORK"
)

// FailStrategy says what a plugin that cannot run does to traffic.
type FailStrategy string

// The fail strategies of Istio's API; FAIL_CLOSE is the default.
const (
	FailClose  FailStrategy = "FAIL_CLOSE"
	FailOpen   FailStrategy = "FAIL_OPEN"
	FailReload FailStrategy = "FAIL_RELOAD"
)

// Mode is the side of a connection on which a plugin matches (istio.type.v1beta1.WorkloadMode).
type Mode string

// The modes. ModeUndefined and ModeBoth match everywhere.
const (
	ModeUndefined Mode = ""
	ModeClient    Mode = "CLIENT"
	ModeServer    Mode = "SERVER"
	ModeBoth      Mode = "CLIENT_AND_SERVER"
)

// TrafficSelector is one entry of a plugin's match list: entries are OR-ed, the two fields AND-ed. No ports means any.
type TrafficSelector struct {
	Mode  Mode
	Ports []int32
}

// TargetRef is one declared reference of a plugin, in declared order, with the group normalised: "core" becomes "".
// Namespace is the target's namespace: the plugin's own, and "" for a GatewayClass.
type TargetRef struct {
	Group     string
	Kind      string
	Namespace string
	Name      string
}

// EnvVar is one variable of the VM environment. FromHost means that the proxy's own variable of that name is passed.
type EnvVar struct {
	Name     string
	Value    string
	FromHost bool
}

// Wasm is the Wasm half of a plugin.
type Wasm struct {
	// URL as the user wrote it: oci://, http://, https://, file:// or no scheme (then OCI).
	URL string
	// SHA256 is the user's lower-case hex digest, or "".
	SHA256 string
	// PullPolicy is "", "IfNotPresent" or "Always".
	PullPolicy string
	// PullSecret names a Secret in the plugin's namespace, or is "".
	PullSecret string
	// VerificationKey is the API's field of that name, or "".
	VerificationKey string
	// RootID is pluginName, proxy-wasm's root id.
	RootID string
	// Config is pluginConfig as canonical JSON (sorted keys), nil when absent.
	Config []byte
	// Env is the VM environment in declared order.
	Env []EnvVar
}

// Plugin is a WasmPlugin or a TrafficExtension in neutral form. It is never changed after its creation.
type Plugin struct {
	Key
	// UID is metadata.uid, "" in standalone mode: it tells an edit from a new object of the same name.
	UID types.UID
	// Generation is metadata.generation (in standalone mode a counter of spec changes).
	Generation int64
	// Created is metadata.creationTimestamp; zero when unknown, which sorts as oldest.
	Created time.Time
	Type    Type
	Phase   Phase
	// Priority is nil when absent. Absent sorts after every number, as istiod's code does.
	Priority     *int32
	FailStrategy FailStrategy
	Match        []TrafficSelector
	// Targets are the declared references; targetRef is promoted when targetRefs is empty.
	Targets []TargetRef
	// Selector is matchLabels; nil when the plugin has no selector (an empty selector is a non-nil empty map).
	Selector map[string]string
	// Exactly one of Wasm and Lua is set on a valid plugin.
	Wasm *Wasm
	// Lua is the inline source.
	Lua string
	// Isolated is set by the annotation that opts a plugin out of VM sharing.
	Isolated bool
	// Revision is the label istio.io/rev: the control plane that runs the plugin in proxies that Istio programs.
	Revision string
	// SourceDir is the folder of the file that the plugin came from ("" in a cluster); file:// URLs are relative to it.
	SourceDir string
	// Invalid says why the object breaks its schema or a rule that no schema can hold; "" when it is valid.
	Invalid string
	// Superseded is set on the last valid form of an object that is invalid now, and stays in force in its place; nil
	// otherwise. Generation and all else are the older form's.
	Superseded *Superseded
}

// Superseded is the current form of an object, in whose place an older one is in force.
type Superseded struct {
	// Generation is the object's metadata.generation.
	Generation int64
	// Invalid is why it cannot be in force.
	Invalid string
}

// ObjectGeneration is the metadata.generation of the object as it is now, which is Generation but for a plugin whose
// current form is superseded.
func (p *Plugin) ObjectGeneration() int64 {
	if p.Superseded != nil {
		return p.Superseded.Generation
	}
	return p.Generation
}

// Supersede gives the form of an object that is to be in force: next, unless it is invalid and a valid one came before.
func Supersede(before, next *Plugin) *Plugin {
	if next.Invalid == "" || before == nil || before.Invalid != "" {
		return next
	}
	kept := *before
	kept.UID = next.UID // a form of a former run does not have it
	kept.Superseded = &Superseded{Generation: next.Generation, Invalid: next.Invalid}
	return &kept
}
