package v1alpha1

// PluginPhase is the place of a WasmPlugin in the filter chain. Empty means UNSPECIFIED_PHASE.
// +kubebuilder:validation:Enum=UNSPECIFIED_PHASE;AUTHN;AUTHZ;STATS
type PluginPhase string

// ExecutionPhase is the place of a TrafficExtension in the filter chain. Empty means UNSPECIFIED; only the spelling of
// that value differs from PluginPhase.
// +kubebuilder:validation:Enum=UNSPECIFIED;AUTHN;AUTHZ;STATS
type ExecutionPhase string

// The phases, in the order in which a request meets them. The two unspecified ones are one phase, the last.
const (
	PhaseAuthn       PluginPhase    = "AUTHN"
	PhaseAuthz       PluginPhase    = "AUTHZ"
	PhaseStats       PluginPhase    = "STATS"
	PhaseUnspecified PluginPhase    = "UNSPECIFIED_PHASE"
	ExecUnspecified  ExecutionPhase = "UNSPECIFIED"
)

// PullPolicy says when a module whose reference is not a digest is fetched again. Empty means UNSPECIFIED_POLICY, which
// is IfNotPresent except for the tag "latest".
// +kubebuilder:validation:Enum=UNSPECIFIED_POLICY;IfNotPresent;Always
type PullPolicy string

// The pull policies.
const (
	PullUnspecified  PullPolicy = "UNSPECIFIED_POLICY"
	PullIfNotPresent PullPolicy = "IfNotPresent"
	PullAlways       PullPolicy = "Always"
)

// FailStrategy says what happens to traffic when the plugin cannot run. Empty means FAIL_CLOSE.
// +kubebuilder:validation:Enum=FAIL_CLOSE;FAIL_OPEN;FAIL_RELOAD
type FailStrategy string

// The fail strategies.
const (
	// FailClose answers with an error instead of the plugin.
	FailClose FailStrategy = "FAIL_CLOSE"
	// FailOpen lets traffic pass without the plugin.
	FailOpen FailStrategy = "FAIL_OPEN"
	// FailReload makes a new VM after a crash, and acts like FAIL_CLOSE otherwise.
	FailReload FailStrategy = "FAIL_RELOAD"
)

// PluginType says whether a module handles HTTP requests or connections. Empty means UNSPECIFIED_PLUGIN_TYPE, which is HTTP.
// +kubebuilder:validation:Enum=UNSPECIFIED_PLUGIN_TYPE;HTTP;NETWORK
type PluginType string

// The plugin types.
const (
	TypeUnspecified PluginType = "UNSPECIFIED_PLUGIN_TYPE"
	TypeHTTP        PluginType = "HTTP"
	TypeNetwork     PluginType = "NETWORK"
)

// WorkloadMode is the side of a connection. Empty and UNDEFINED mean both sides.
// +kubebuilder:validation:Enum=UNDEFINED;CLIENT;SERVER;CLIENT_AND_SERVER
type WorkloadMode string

// The modes: CLIENT is an ingress gateway, SERVER is a waypoint.
const (
	ModeUndefined WorkloadMode = "UNDEFINED"
	ModeClient    WorkloadMode = "CLIENT"
	ModeServer    WorkloadMode = "SERVER"
	ModeBoth      WorkloadMode = "CLIENT_AND_SERVER"
)

// EnvValueSource says where the value of an environment variable comes from. Empty means INLINE.
// +kubebuilder:validation:Enum=INLINE;HOST
type EnvValueSource string

// The sources of an environment variable's value.
const (
	// EnvInline takes the value written in the plugin.
	EnvInline EnvValueSource = "INLINE"
	// EnvHost takes the proxy's own variable of that name.
	EnvHost EnvValueSource = "HOST"
)
