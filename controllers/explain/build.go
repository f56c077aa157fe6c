package explain

import (
	"cmp"
	"slices"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// Objects explains typed objects, as controllers/files gives them, under a root namespace ("" means istio-system). The
// error names a Go type that the store does not take.
func Objects(objects []any, rootNamespace string) (*Result, error) {
	s := store.New()
	for _, o := range objects {
		if _, _, err := s.Put(o); err != nil {
			return nil, err
		}
	}
	rules := attach.Rules{Config: attach.Config{RootNamespace: rootNamespace}, View: s}
	return From(rules.Full()), nil
}

// From gives the rules' answer the form that is printed.
func From(full attach.Result) *Result {
	r := &Result{Scopes: []Scope{}, Plugins: []Plugin{}}
	for _, gateway := range full.Gateways {
		for _, place := range gateway.Places {
			r.Scopes = append(r.Scopes, scopes(place)...)
		}
	}
	slices.SortStableFunc(r.Scopes, func(a, b Scope) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Listener, b.Listener),
			cmp.Compare(a.Service, b.Service), cmp.Compare(a.ServiceKind, b.ServiceKind))
	})
	for _, p := range full.Plugins {
		r.Plugins = append(r.Plugins, plugin(p))
	}
	slices.SortStableFunc(r.Plugins, func(a, b Plugin) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return r
}

// scopes is one scope for every listener of a place, and one for a waypoint's place, whatever its listeners are.
func scopes(p attach.PlaceResult) []Scope {
	one := Scope{
		Gateway: p.Place.Gateway.String(),
		Port:    p.Place.Port,
		Phases:  phases(p.Plugins.HTTP),
		Network: phases(p.Plugins.Network),
	}
	if service := p.Place.Service; !service.IsZero() {
		one.Service, one.ServiceKind = service.Namespace+"/"+service.Name, service.Kind
	}
	if len(p.Place.Listeners) == 0 {
		return []Scope{one}
	}
	out := make([]Scope, 0, len(p.Place.Listeners))
	for _, listener := range p.Place.Listeners {
		one.Listener = listener
		out = append(out, one)
	}
	return out
}

func plugin(p attach.PluginResult) Plugin {
	out := Plugin{Kind: p.Plugin.Kind, Namespace: p.Plugin.Namespace, Name: p.Plugin.Name, Targets: []Target{}}
	for _, v := range p.Verdicts {
		out.Targets = append(out.Targets, target(v))
	}
	return out
}

func target(v model.Verdict) Target {
	return Target{
		Group: v.Target.Group, Kind: v.Target.Kind, Namespace: v.Target.Namespace, Name: v.Target.Name,
		Accepted: v.Accepted, Reason: v.Reason, Message: v.Message,
	}
}
