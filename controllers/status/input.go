package status

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// ModuleState is what is known of a plugin's module. A plugin without one (Lua) leaves it zero.
type ModuleState struct {
	// Ready says that the module is here, its digest checked, and inspected.
	Ready bool
	// Digest is the module's digest ("sha256:…"), also of a module that is still in use while a newer fetch fails.
	Digest string
	// Reason is a ResolvedRefs reason of apis/extensions/v1alpha1; "" stands for Fetching while not Ready.
	Reason string
	// Err is the last error of the fetch, the check or the inspection.
	Err string
	// Attempts counts the fetches of this URL so far.
	Attempts int
	// NextTry is when the next fetch starts; zero when none is planned.
	NextTry time.Time
}

// Refusal is a proxy that refused this generation of the plugin (NACK), with Envoy's text.
type Refusal struct {
	Proxy string
	Error string
}

// Proxies says on how many connected proxies a plugin runs.
type Proxies struct {
	// Total counts the connected proxies that should run the plugin, Running those that do: slot acknowledged, no module
	// still to fetch.
	Total   int
	Running int
	// Refusals are the proxies that refused this generation.
	Refusals []Refusal
	// Notes tell what happens instead, for example "runs last good sha256:…" or "fail strategy FAIL_CLOSE in force".
	Notes []string
}

// Target is one verdict with what the proxies of its target say.
type Target struct {
	model.Verdict
	// GatewayClass is the class of the Gateway that the verdict names. It is read only for plugins without declared
	// targets, whose status stands per class.
	GatewayClass string
	// Waypoint says that the Gateway that the verdict names is a waypoint, whether it takes the plugin or not.
	Waypoint bool
	Proxies  Proxies
}

// Status is the part of a plugin's status that wasmpoint writes.
type Status struct {
	Ancestors  []gatewayv1.PolicyAncestorStatus
	Conditions []metav1.Condition
	// ObservedGeneration is the metadata.generation that all of it speaks of.
	ObservedGeneration int64
	// Summary is what kubectl get shows and no other field holds in one value.
	Summary ext.StatusSummary
}

// Input is everything that a plugin's status depends on.
type Input struct {
	Plugin *model.Plugin
	// Generation is the object's metadata.generation; 0 stands for Plugin's. They differ only with Superseded.
	Generation int64
	// Superseded says why the object's generation is not in force and an older one, which is Plugin then, still is: an
	// object that was stored before its CRD had its rules may be invalid. It is "" normally.
	Superseded string
	// Targets are attach's verdicts in their order: one per declared target, or one per Gateway reached, or a single one
	// with its reason when a plugin without targets reaches none.
	Targets []Target
	Module  ModuleState
	// Overall counts distinct proxies over all accepted targets. Nil means that the targets share no proxy, so that their
	// counts can be added up.
	Overall *Proxies
	// Previous is the status that stands now; it keeps transition times and the entries of other controllers.
	Previous Status
	// Now is the time of this computation; conditions carry it in whole seconds, as the API does.
	Now time.Time
}

// generation is what conditions observe.
func (in Input) generation() int64 {
	if in.Generation != 0 {
		return in.Generation
	}
	return in.Plugin.Generation
}
