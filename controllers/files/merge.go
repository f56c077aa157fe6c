package files

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// result merges the files' objects in force.
func (s *set) result() Result {
	r := Result{Errors: slices.Clone(s.errs)}
	chosen := map[identity]*object{}
	var rivals []*object
	for _, path := range s.paths() {
		f := s.files[path]
		r.Errors = append(r.Errors, f.errs...)
		r.Notes = append(r.Notes, f.notes...)
		for _, o := range f.good {
			first := chosen[o.identity]
			switch {
			case first == nil:
				chosen[o.identity] = o
			case f.away:
			case s.owners[o.identity] == o.pos.File:
				chosen[o.identity] = o
				rivals = append(rivals, first)
			default:
				rivals = append(rivals, o)
			}
		}
	}
	// An object that left a file counts only where no file has it: it may have been moved.
	for _, path := range s.paths() {
		for _, o := range s.files[path].leaving {
			if chosen[o.identity] == nil {
				chosen[o.identity] = o
			}
		}
	}
	for _, o := range rivals {
		r.Errors = append(r.Errors, duplicate(o, chosen[o.identity]))
	}
	s.owners = map[identity]string{}
	objects := make([]*object, 0, len(chosen))
	for id, o := range chosen {
		s.owners[id] = o.pos.File
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b *object) int { return a.compare(b.identity) })
	for _, o := range objects {
		r.add(o.shared)
	}
	r.Namespaces = s.spaces.complete(objects, r.Namespaces)
	slices.SortStableFunc(r.Errors, func(a, b Error) int { return a.compare(b.Position) })
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return a.compare(b.Position) })
	return r
}

func (r *Result) add(shared any) {
	switch o := shared.(type) {
	case *model.Plugin:
		r.Plugins = append(r.Plugins, o)
	case *gatewayv1.Gateway:
		r.Gateways = append(r.Gateways, o)
	case *gatewayv1.GatewayClass:
		r.GatewayClasses = append(r.GatewayClasses, o)
	case *gatewayv1.HTTPRoute:
		r.HTTPRoutes = append(r.HTTPRoutes, o)
	case *gatewayv1.ReferenceGrant:
		r.ReferenceGrants = append(r.ReferenceGrants, o)
	case *corev1.Service:
		r.Services = append(r.Services, o)
	case *corev1.Namespace:
		r.Namespaces = append(r.Namespaces, o)
	case *corev1.Secret:
		r.Secrets = append(r.Secrets, o)
	case *discoveryv1.EndpointSlice:
		r.EndpointSlices = append(r.EndpointSlices, o)
	case *networkingv1.ServiceEntry:
		r.ServiceEntries = append(r.ServiceEntries, o)
	}
}

// All gives every object, for a store that takes them one by one.
func (o *Objects) All() []any {
	var out []any
	out = all(out, o.Namespaces)
	out = all(out, o.GatewayClasses)
	out = all(out, o.Gateways)
	out = all(out, o.Services)
	out = all(out, o.ServiceEntries)
	out = all(out, o.EndpointSlices)
	out = all(out, o.Secrets)
	out = all(out, o.ReferenceGrants)
	out = all(out, o.HTTPRoutes)
	return all(out, o.Plugins)
}

func all[T any](out []any, objects []T) []any {
	for _, o := range objects {
		out = append(out, o)
	}
	return out
}

// spaces are the Namespace objects as an API server would have them: with the label of their name, and one for every
// namespace that is used. They are kept, so that equal ones keep their pointer.
type spaces map[string]space

type space struct {
	from, to *corev1.Namespace
}

func (s spaces) complete(objects []*object, declared []*corev1.Namespace) []*corev1.Namespace {
	names := map[string]*corev1.Namespace{}
	for _, o := range objects {
		if o.namespace != "" {
			names[o.namespace] = nil
		}
	}
	for _, n := range declared {
		names[n.Name] = n
	}
	out := make([]*corev1.Namespace, 0, len(names))
	for _, name := range sortedKeys(names) {
		old, known := s[name]
		if !known || old.from != names[name] {
			old = space{from: names[name], to: labelled(name, names[name])}
			s[name] = old
		}
		out = append(out, old.to)
	}
	return out
}

func labelled(name string, from *corev1.Namespace) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if from != nil {
		n = from.DeepCopy()
	}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = name
	return n
}
