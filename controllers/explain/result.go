package explain

import (
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Result is what `wasmpoint explain` prints. Its JSON form is an interface that users may rely on: fields are added,
// never renamed or removed, and lists are never null.
type Result struct {
	// Scopes are sorted by gateway, port, listener and service.
	Scopes []Scope `json:"scopes" yaml:"scopes"`
	// Plugins are sorted by namespace, name and kind.
	Plugins []Plugin `json:"plugins" yaml:"plugins"`
}

// Scope is a place where plugins run: a listener of an ingress gateway, or a port of a Service at its waypoint.
type Scope struct {
	// Gateway is namespace/name.
	Gateway string `json:"gateway" yaml:"gateway"`
	// Listener is the listener's name; at a waypoint it is the one that takes mesh traffic in.
	Listener string `json:"listener" yaml:"listener"`
	// Port is the listener's port at an ingress gateway and the Service's port at a waypoint.
	Port int32 `json:"port" yaml:"port"`
	// Service is namespace/name of the Service or ServiceEntry, "" at an ingress gateway.
	Service string `json:"service" yaml:"service"`
	// ServiceKind is Service, ServiceEntry or "".
	ServiceKind string `json:"serviceKind" yaml:"serviceKind"`
	// Phases are the HTTP plugins, Network the NETWORK plugins.
	Phases  Phases `json:"phases" yaml:"phases,flow"`
	Network Phases `json:"network" yaml:"network,flow"`
}

// Phases are the plugins of a scope as namespace/name, in the order in which a request meets them.
type Phases struct {
	Authn       []string `json:"AUTHN" yaml:"AUTHN"`
	Authz       []string `json:"AUTHZ" yaml:"AUTHZ"`
	Stats       []string `json:"STATS" yaml:"STATS"`
	Unspecified []string `json:"UNSPECIFIED" yaml:"UNSPECIFIED"`
}

// Plugin is a WasmPlugin or TrafficExtension with what became of its targets.
type Plugin struct {
	Kind      string `json:"kind" yaml:"kind"`
	Namespace string `json:"namespace" yaml:"namespace"`
	Name      string `json:"name" yaml:"name"`
	// Targets stand in declared order. A plugin without targets has one for each Gateway that it reaches, or a single
	// one without a name, which says why it reaches none.
	Targets []Target `json:"targets" yaml:"targets"`
}

// Target is one target of a plugin and the verdict on it.
type Target struct {
	Group     string `json:"group" yaml:"group"`
	Kind      string `json:"kind" yaml:"kind"`
	Namespace string `json:"namespace" yaml:"namespace"`
	Name      string `json:"name" yaml:"name"`
	Accepted  bool   `json:"accepted" yaml:"accepted"`
	// Reason is one of apis/extensions/v1alpha1/reasons.go.
	Reason  string `json:"reason" yaml:"reason"`
	Message string `json:"message" yaml:"message"`
}

// list gives the phase in the order of model.Phases.
func (p *Phases) list(i int) []string {
	return [...][]string{p.Authn, p.Authz, p.Stats, p.Unspecified}[i]
}

func phases(sets [4][]*model.Plugin) Phases {
	names := func(plugins []*model.Plugin) []string {
		out := make([]string, 0, len(plugins))
		for _, p := range plugins {
			out = append(out, p.NamespacedName().String())
		}
		return out
	}
	return Phases{
		Authn:       names(sets[model.PhaseAuthn.Index()]),
		Authz:       names(sets[model.PhaseAuthz.Index()]),
		Stats:       names(sets[model.PhaseStats.Index()]),
		Unspecified: names(sets[model.PhaseUnspecified.Index()]),
	}
}
