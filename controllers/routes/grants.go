package routes

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// permitted tells whether an object of kind fromKind (of Gateway API's group) in namespace from may refer to the core
// object (kind, name) of namespace to: within a namespace always, across namespaces if a ReferenceGrant of the target's
// namespace says so (GEP-709).
func permitted(v View, fromKind, from, kind, to, name string) bool {
	if from == to {
		return true
	}
	for _, g := range v.ReferenceGrantsIn(to) {
		if grantFrom(&g.Spec, fromKind, from) && grantTo(&g.Spec, kind, name) {
			return true
		}
	}
	return false
}

func grantFrom(g *gatewayv1.ReferenceGrantSpec, kind, namespace string) bool {
	for _, f := range g.From {
		if f.Group == gatewayv1.GroupName && string(f.Kind) == kind && string(f.Namespace) == namespace {
			return true
		}
	}
	return false
}

func grantTo(g *gatewayv1.ReferenceGrantSpec, kind, name string) bool {
	for _, t := range g.To {
		if t.Group == "" && string(t.Kind) == kind && (t.Name == nil || *t.Name == "" || string(*t.Name) == name) {
			return true
		}
	}
	return false
}
