package files

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func classRules(o metav1.Object, bad *problems) {
	bad.need("spec.controllerName", string(o.(*gatewayv1.GatewayClass).Spec.ControllerName), "name the controller of the class, such as wasmpoint.dev/controller")
}

func gatewayRules(o metav1.Object, bad *problems) {
	g := o.(*gatewayv1.Gateway)
	bad.need("spec.gatewayClassName", string(g.Spec.GatewayClassName), "name a class, such as wasmpoint or wasmpoint-waypoint")
	if len(g.Spec.Listeners) == 0 {
		bad.add("spec.listeners", "is missing; write at least one listener")
	}
	names := map[gatewayv1.SectionName]bool{}
	for i, l := range g.Spec.Listeners {
		path := at("spec.listeners[%d]", i)
		bad.need(path+".name", string(l.Name), "give the listener a name")
		if l.Name != "" && names[l.Name] {
			bad.add(path+".name", "%q stands twice; give every listener its own name", l.Name)
		}
		names[l.Name] = true
		bad.port(path+".port", int64(l.Port))
		bad.need(path+".protocol", string(l.Protocol), "write HTTP, HTTPS, TLS or TCP")
		if l.TLS != nil && l.TLS.Mode != nil {
			bad.oneOf(path+".tls.mode", string(*l.TLS.Mode), "Terminate", "Passthrough")
		}
		if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil {
			continue
		}
		if from := l.AllowedRoutes.Namespaces.From; from != nil {
			bad.oneOf(path+".allowedRoutes.namespaces.from", string(*from), "All", "Selector", "Same", "None")
		}
		if selector := l.AllowedRoutes.Namespaces.Selector; selector != nil {
			if _, err := metav1.LabelSelectorAsSelector(selector); err != nil {
				bad.add(path+".allowedRoutes.namespaces.selector", "is not a label selector: %v; correct it", err)
			}
		}
	}
}

func grantRules(o metav1.Object, bad *problems) {
	g := o.(*gatewayv1.ReferenceGrant)
	if len(g.Spec.From) == 0 {
		bad.add("spec.from", "is missing; write who may refer to this namespace")
	}
	for i, f := range g.Spec.From {
		bad.need(at("spec.from[%d].kind", i), string(f.Kind), "name the kind that may refer")
		bad.need(at("spec.from[%d].namespace", i), string(f.Namespace), "name the namespace that may refer")
	}
	if len(g.Spec.To) == 0 {
		bad.add("spec.to", "is missing; write what may be referred to")
	}
	for i, t := range g.Spec.To {
		bad.need(at("spec.to[%d].kind", i), string(t.Kind), "name the kind that may be referred to")
	}
}

func routeRules(o metav1.Object, bad *problems) {
	r := o.(*gatewayv1.HTTPRoute)
	for i, parent := range r.Spec.ParentRefs {
		bad.need(at("spec.parentRefs[%d].name", i), string(parent.Name), "name the Gateway")
	}
	for i, rule := range r.Spec.Rules {
		path := at("spec.rules[%d]", i)
		for j, m := range rule.Matches {
			matchRules(at("%s.matches[%d]", path, j), &m, bad)
		}
		filterRules(path, rule.Filters, bad)
		for j, b := range rule.BackendRefs {
			p := at("%s.backendRefs[%d]", path, j)
			bad.need(p+".name", string(b.Name), "name the Service")
			if (b.Group == nil || *b.Group == "") && (b.Kind == nil || *b.Kind == "Service") && b.Port == nil {
				bad.add(p+".port", "is missing; write the Service's port")
			}
			if b.Port != nil {
				bad.port(p+".port", int64(*b.Port))
			}
			if b.Weight != nil && (*b.Weight < 0 || *b.Weight > 1_000_000) {
				bad.add(p+".weight", "%d is not a weight; use 0 to 1000000", *b.Weight)
			}
			filterRules(p, b.Filters, bad)
		}
	}
}

func matchRules(path string, m *gatewayv1.HTTPRouteMatch, bad *problems) {
	if m.Path != nil && m.Path.Type != nil {
		bad.oneOf(path+".path.type", string(*m.Path.Type), "Exact", "PathPrefix", "RegularExpression")
	}
	if m.Path != nil && m.Path.Value != nil && (m.Path.Type == nil || *m.Path.Type != gatewayv1.PathMatchRegularExpression) &&
		(*m.Path.Value == "" || (*m.Path.Value)[0] != '/') {
		bad.add(path+".path.value", "%q must begin with /; correct it", *m.Path.Value)
	}
	if m.Method != nil {
		bad.oneOf(path+".method", string(*m.Method), "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
	}
	for i, h := range m.Headers {
		bad.need(at("%s.headers[%d].name", path, i), string(h.Name), "name the header")
		if h.Type != nil {
			bad.oneOf(at("%s.headers[%d].type", path, i), string(*h.Type), "Exact", "RegularExpression")
		}
	}
	for i, q := range m.QueryParams {
		bad.need(at("%s.queryParams[%d].name", path, i), string(q.Name), "name the parameter")
		if q.Type != nil {
			bad.oneOf(at("%s.queryParams[%d].type", path, i), string(*q.Type), "Exact", "RegularExpression")
		}
	}
}

func filterRules(path string, filters []gatewayv1.HTTPRouteFilter, bad *problems) {
	for i, f := range filters {
		p := at("%s.filters[%d]", path, i)
		bad.need(p+".type", string(f.Type), "write which filter this is")
		bad.oneOf(p+".type", string(f.Type), "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror",
			"RequestRedirect", "URLRewrite", "ExtensionRef", "CORS", "ExternalAuth")
		set := map[gatewayv1.HTTPRouteFilterType]struct {
			name string
			ok   bool
		}{
			gatewayv1.HTTPRouteFilterRequestHeaderModifier:  {"requestHeaderModifier", f.RequestHeaderModifier != nil},
			gatewayv1.HTTPRouteFilterResponseHeaderModifier: {"responseHeaderModifier", f.ResponseHeaderModifier != nil},
			gatewayv1.HTTPRouteFilterRequestMirror:          {"requestMirror", f.RequestMirror != nil},
			gatewayv1.HTTPRouteFilterRequestRedirect:        {"requestRedirect", f.RequestRedirect != nil},
			gatewayv1.HTTPRouteFilterURLRewrite:             {"urlRewrite", f.URLRewrite != nil},
			gatewayv1.HTTPRouteFilterExtensionRef:           {"extensionRef", f.ExtensionRef != nil},
		}
		if want, known := set[f.Type]; known && !want.ok {
			bad.add(p+"."+want.name, "is missing; a filter of type %s needs it", f.Type)
		}
	}
}
