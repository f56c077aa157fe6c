package status

import "time"

// Snapshot is the whole state at one moment in a compact form: what the admin endpoint serves at /status and what
// `wasmpoint status` prints. Its JSON form is stable: fields are added, never renamed. Lists are sorted by the source.
type Snapshot struct {
	// Taken is when the snapshot was made.
	Taken    time.Time    `json:"taken"`
	Plugins  []PluginRow  `json:"plugins"`
	Proxies  []ProxyRow   `json:"proxies"`
	Gateways []GatewayRow `json:"gateways"`
	Services []ServiceRow `json:"services"`
	// LoadErrors are the files that cannot be read now; what they held before stays in force.
	LoadErrors []LoadError `json:"loadErrors"`
}

// PluginRow is one plugin.
type PluginRow struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Phase     string `json:"phase"`
	Priority  *int32 `json:"priority,omitempty"`
	// Generation of the spec that the row is about.
	Generation int64     `json:"generation"`
	Created    time.Time `json:"created,omitzero"`
	// Accepted, Reason and Message are the summary over all targets.
	Accepted bool        `json:"accepted"`
	Reason   string      `json:"reason"`
	Message  string      `json:"message,omitempty"`
	Targets  []TargetRow `json:"targets"`
	Module   ModuleRow   `json:"module"`
	// Running of Total connected proxies run this generation, each proxy counted once.
	Running int `json:"running"`
	Total   int `json:"total"`
	// Programmed and ProgrammedReason are the summary over the accepted targets; the reason is empty when there are none.
	Programmed       bool   `json:"programmed"`
	ProgrammedReason string `json:"programmedReason,omitempty"`
	// LastError is the most telling problem in force now, empty when there is none.
	LastError string `json:"lastError,omitempty"`
}

// TargetRow is one declared target of a plugin, or one GatewayClass that a plugin without targets reaches.
type TargetRow struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Accepted  bool   `json:"accepted"`
	Reason    string `json:"reason"`
	Message   string `json:"message,omitempty"`
	// Programmed and what follows is empty when the target did not accept the plugin.
	Programmed        bool   `json:"programmed"`
	ProgrammedReason  string `json:"programmedReason,omitempty"`
	ProgrammedMessage string `json:"programmedMessage,omitempty"`
	Running           int    `json:"running"`
	Total             int    `json:"total"`
}

// ModuleRow is the module of a plugin; all of it is empty for a plugin with inline source.
type ModuleRow struct {
	URL    string `json:"url,omitempty"`
	Digest string `json:"digest,omitempty"`
	Ready  bool   `json:"ready"`
	// Reason is the ResolvedRefs reason.
	Reason   string    `json:"reason,omitempty"`
	Error    string    `json:"error,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	NextTry  time.Time `json:"nextTry,omitzero"`
}

// ProxyRow is one connected proxy, or one that this process runs and that is not connected (Connected is zero then).
type ProxyRow struct {
	// Gateway is "namespace/name".
	Gateway string `json:"gateway"`
	// ID is the proxy's node id.
	ID        string    `json:"id"`
	Connected time.Time `json:"connected,omitzero"`
	// EnvoyVersion as the proxy reports it.
	EnvoyVersion string `json:"envoyVersion,omitempty"`
	// PID of the process when this wasmpoint started it.
	PID int `json:"pid,omitempty"`
	// Slots that the proxy subscribes, and Synced of them that hold the version in force.
	Slots  int `json:"slots"`
	Synced int `json:"synced"`
	// LastNACK is the last refusal of any resource, with its time; it stays after the cause is gone.
	LastNACK     string    `json:"lastNACK,omitempty"`
	LastNACKTime time.Time `json:"lastNACKTime,omitzero"`
}

// GatewayRow is one Gateway.
type GatewayRow struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Class     string `json:"class"`
	Waypoint  bool   `json:"waypoint"`
	Address   string `json:"address,omitempty"`
	// Ports are the ports on which the Gateway's proxy really listens, in the order of the listeners.
	Ports      []int32 `json:"ports,omitempty"`
	Programmed bool    `json:"programmed"`
	Message    string  `json:"message,omitempty"`
}

// ServiceRow is one Service or ServiceEntry.
type ServiceRow struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Address   string `json:"address,omitempty"`
	// Waypoint is the "namespace/name" of the waypoint in use, or empty.
	Waypoint string `json:"waypoint,omitempty"`
	Message  string `json:"message,omitempty"`
}

// LoadError is one file that could not be read.
type LoadError struct {
	File string `json:"file"`
	// Line is 1-based; 0 when the error concerns the whole file.
	Line    int       `json:"line,omitempty"`
	Message string    `json:"message"`
	Since   time.Time `json:"since,omitzero"`
}
