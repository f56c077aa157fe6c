package attach

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Changes is what a batch of events changed, sorted, each entry once. What is not named here gives the same answers as
// before.
type Changes struct {
	// Places are the scopes that came, went, or have other plugins than before.
	Places []PlaceChange
	// Gateways are those that came or went, those whose own object or class changed, and waypoints whose bound Services
	// came, went or changed their spec.
	Gateways []types.NamespacedName
	// Routes are the Gateways whose HTTPRoutes may answer differently: a route of theirs, a Service that it sends to, or a
	// ReferenceGrant that it may need, changed. Endpoints alone do not count.
	Routes []types.NamespacedName
	// Certificates are the Gateways with a listener whose certificate Secret, or the ReferenceGrant for it, changed.
	Certificates []types.NamespacedName
	// Services are those whose object or endpoints changed, and Services that are parents of a changed HTTPRoute.
	Services []model.ServiceKey
	// Bindings are the Services whose Binding is another than before.
	Bindings []model.ServiceKey
	// Plugins are those that came, went, changed, or have other verdicts than before.
	Plugins []model.Key
	// PullSecrets are the plugins whose imagePullSecret changed.
	PullSecrets []model.Key
	// Unenforced are the Gateways that a changed Istio policy concerns; those among Gateways may have other policies too.
	Unenforced []types.NamespacedName
}

// Empty tells whether nothing changed.
func (c Changes) Empty() bool {
	return len(c.Places)+len(c.Gateways)+len(c.Routes)+len(c.Certificates)+len(c.Services)+len(c.Bindings)+
		len(c.Plugins)+len(c.PullSecrets)+len(c.Unenforced) == 0
}

// ChangeKind says what happened to a place.
type ChangeKind string

// The kinds of change.
const (
	PlaceAdded   ChangeKind = "Added"
	PlaceChanged ChangeKind = "Changed"
	PlaceRemoved ChangeKind = "Removed"
)

// PlaceChange is a place with its plugins now; a removed place has none.
type PlaceChange struct {
	Kind    ChangeKind
	Place   model.Place
	Plugins model.PluginSet
}

// dirt collects during one batch what has to be looked at again, and what changed.
type dirt struct {
	gateways set[types.NamespacedName]
	services set[model.ServiceKey]
	// workloads are external proxies that came, went or changed.
	workloads set[types.NamespacedName]
	plugins   []*model.Plugin // older and newer versions of changed plugins: what either reaches is dirty
	scopes    set[model.Scope]
	verdicts  set[model.Key]
	// respec are Services whose own object changed.
	respec set[model.ServiceKey]
	// policyTargets are what changed Istio policies name, before and after.
	policyTargets set[model.TargetRef]

	changes      []PlaceChange
	topology     set[types.NamespacedName]
	routes       set[types.NamespacedName]
	certificates set[types.NamespacedName]
	endpoints    set[model.ServiceKey]
	bindings     set[model.ServiceKey]
	changed      set[model.Key]
	pullSecrets  set[model.Key]
	unenforced   set[types.NamespacedName]
}

type set[K comparable] map[K]struct{}

func (s set[K]) add(keys ...K) {
	for _, key := range keys {
		s[key] = struct{}{}
	}
}

func newDirt() *dirt {
	return &dirt{
		gateways: set[types.NamespacedName]{}, services: set[model.ServiceKey]{}, workloads: set[types.NamespacedName]{}, scopes: set[model.Scope]{},
		verdicts: set[model.Key]{}, respec: set[model.ServiceKey]{}, policyTargets: set[model.TargetRef]{},
		topology: set[types.NamespacedName]{}, routes: set[types.NamespacedName]{},
		certificates: set[types.NamespacedName]{}, endpoints: set[model.ServiceKey]{},
		bindings: set[model.ServiceKey]{}, changed: set[model.Key]{}, pullSecrets: set[model.Key]{}, unenforced: set[types.NamespacedName]{},
	}
}

func (d *dirt) judge(plugins ...*model.Plugin) {
	for _, p := range plugins {
		d.verdicts.add(p.Key)
	}
}

func (d *dirt) result() Changes {
	slices.SortFunc(d.changes, func(a, b PlaceChange) int { return CompareScopes(a.Place.Scope, b.Place.Scope) })
	return Changes{
		Places:       d.changes,
		Gateways:     slices.SortedFunc(maps.Keys(d.topology), compareNames),
		Routes:       slices.SortedFunc(maps.Keys(d.routes), compareNames),
		Certificates: slices.SortedFunc(maps.Keys(d.certificates), compareNames),
		Services:     slices.SortedFunc(maps.Keys(d.endpoints), compareServices),
		Bindings:     slices.SortedFunc(maps.Keys(d.bindings), compareServices),
		Plugins:      slices.SortedFunc(maps.Keys(d.changed), model.Key.Compare),
		PullSecrets:  slices.SortedFunc(maps.Keys(d.pullSecrets), model.Key.Compare),
		Unenforced:   slices.SortedFunc(maps.Keys(d.unenforced), compareNames),
	}
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
