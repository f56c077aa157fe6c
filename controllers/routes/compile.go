package routes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extensions "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// view is the world with the rule about protocols.
type view struct {
	View
	encrypted func(*corev1.ServicePort) bool
}

// attachment is a route on a listener, with the domains that the two share and the route's own hostname for each.
type attachment struct {
	route   *gatewayv1.HTTPRoute
	domains []string
}

// Compile works out what the Gateway serves. It never fails: what is wrong stands in the conditions.
func Compile(in Input, world View) *Result {
	res := &Result{Listeners: judgeListeners(in, world), gateway: in.Gateway}
	v := view{View: world, encrypted: in.Encrypted}
	if v.encrypted == nil {
		v.encrypted = func(*corev1.ServicePort) bool { return false }
	}
	attached := make([][]attachment, len(res.Listeners))
	routes := slices.Clone(in.Routes)
	slices.SortFunc(routes, func(a, b *gatewayv1.HTTPRoute) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, r := range routes {
		status := RouteStatus{Route: types.NamespacedName{Namespace: r.Namespace, Name: r.Name}, Generation: r.Generation}
		on := map[int]bool{}
		_, f := convertRules(r, 0, false, v)
		hosts, err := hostnames(r)
		if err != nil && f.unsupported == nil {
			f.unsupported = err
		}
		for i := range r.Spec.ParentRefs {
			ref := &r.Spec.ParentRefs[i]
			if !refersTo(ref, r.Namespace, in.Gateway) {
				continue
			}
			listeners, refused := chooseListeners(ref, r.Namespace, hosts, res.Listeners)
			for _, l := range listeners {
				on[l] = true
			}
			status.Parents = append(status.Parents, gatewayv1.RouteParentStatus{
				ParentRef: *ref, ControllerName: extensions.ControllerName,
				Conditions: routeConditions(r, refused, f),
			})
		}
		if len(status.Parents) > 0 {
			res.Routes = append(res.Routes, status)
		}
		for l := range on {
			if f.unsupported == nil {
				res.Listeners[l].AttachedRoutes++
			}
			attached[l] = append(attached[l], attachment{route: r, domains: shared(hosts, res.Listeners[l].Hostname)})
		}
	}
	if !in.Waypoint {
		res.Ports = ports(res.Listeners, attached, v)
	}
	return res
}

// hostnames gives the domains of a route; one that no request can have is an error and left out.
func hostnames(r *gatewayv1.HTTPRoute) (domains []string, err error) {
	if len(r.Spec.Hostnames) == 0 {
		return []string{anyHost}, nil
	}
	for i, h := range r.Spec.Hostnames {
		d := domain(string(h))
		if !hostnameForm.MatchString(d) {
			if err == nil {
				err = fmt.Errorf("spec.hostnames[%d]: %q is not a hostname", i, h)
			}
			continue
		}
		domains = append(domains, d)
	}
	return domains, err
}

func refersTo(ref *gatewayv1.ParentReference, namespace string, gw *gatewayv1.Gateway) bool {
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	return (ref.Group == nil || *ref.Group == gatewayv1.GroupName) && (ref.Kind == nil || *ref.Kind == "Gateway") &&
		string(ref.Name) == gw.Name && namespace == gw.Namespace
}

// refusal is why a route is not attached.
type refusal struct {
	reason  gatewayv1.RouteConditionReason
	message string
}

// chooseListeners gives the listeners to which a parentRef attaches the route, or why there are none.
func chooseListeners(ref *gatewayv1.ParentReference, namespace string, hosts []string, listeners []Listener) (out []int, why *refusal) {
	why = &refusal{gatewayv1.RouteReasonNoMatchingParent, "the Gateway has no listener with the sectionName and port of the parentRef"}
	for i := range listeners {
		l := &listeners[i]
		if (ref.SectionName != nil && *ref.SectionName != "" && string(*ref.SectionName) != l.Name) || (ref.Port != nil && *ref.Port != l.Port) {
			continue
		}
		if len(l.SupportedKinds) == 0 || !l.allowed(namespace) {
			if why.reason == gatewayv1.RouteReasonNoMatchingParent {
				why = &refusal{gatewayv1.RouteReasonNotAllowedByListeners, fmt.Sprintf("allowedRoutes of listener %q admits no HTTPRoutes of namespace %s", l.Name, namespace)}
			}
			continue
		}
		if len(shared(hosts, l.Hostname)) == 0 {
			why = &refusal{gatewayv1.RouteReasonNoMatchingListenerHostname, fmt.Sprintf("none of the hostnames (%s) fits hostname %q of listener %q", strings.Join(hosts, ", "), l.Hostname, l.Name)}
			continue
		}
		out = append(out, i)
	}
	if len(out) > 0 {
		why = nil
	}
	return out, why
}

// shared gives the domains that a route's hostnames and a listener's have in common, without doubles.
func shared(hosts []string, hostname string) (out []string) {
	for _, h := range hosts {
		if d, ok := intersect(h, domain(hostname)); ok && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}
