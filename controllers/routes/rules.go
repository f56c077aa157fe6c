package routes

import (
	"fmt"
	"sort"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// findings are what is wrong with a route, whatever parent it is attached to.
type findings struct {
	// unsupported is the first value that this implementation cannot do.
	unsupported error
	// unresolved is the first backend that does not resolve.
	unresolved *unresolved
}

// convertRules gives the rules of a route as a listener on the port serves them, in declared order.
func convertRules(r *gatewayv1.HTTPRoute, port int32, tls bool, v view) (rules []*Rule, f findings) {
	for i := range r.Spec.Rules {
		rules = append(rules, convertRule(r, i, port, tls, v, &f)...)
	}
	return rules, f
}

func convertRule(r *gatewayv1.HTTPRoute, i int, port int32, tls bool, v view, f *findings) []*Rule {
	spec := &r.Spec.Rules[i]
	fail := func(err error) {
		if f.unsupported == nil {
			f.unsupported = fmt.Errorf("spec.rules[%d].%w", i, err)
		}
	}
	matches, errs := convertMatches(spec)
	for _, err := range errs {
		fail(err)
	}
	template := Rule{order: order{created: r.CreationTimestamp.Time, namespace: r.Namespace, name: r.Name, rule: i}}
	c, err := convertFilters(spec.Filters, matches, port, tls)
	if err != nil {
		fail(err)
		template.Status = 500
	}
	template.Request, template.Response, template.Redirect, template.Rewrite = c.request, c.response, c.redirect, c.rewrite
	if err := convertTimes(spec, &template); err != nil {
		fail(err)
		template.Status = 500
	}
	if spec.SessionPersistence != nil {
		fail(fmt.Errorf("sessionPersistence: not supported, remove it"))
		template.Status = 500
	}
	total := uint64(0)
	for j := range spec.BackendRefs {
		ref := &spec.BackendRefs[j]
		b, why := resolveBackend(r.Namespace, ref, v)
		if why != nil && f.unresolved == nil {
			why.message = fmt.Sprintf("spec.rules[%d].backendRefs[%d]: %s", i, j, why.message)
			f.unresolved = why
		}
		bc, err := headerFilters(ref.Filters)
		if err != nil {
			fail(fmt.Errorf("backendRefs[%d].%w", j, err))
			b.Broken = true
		}
		b.Request, b.Response = bc.request, bc.response
		if b.Weight > 0 {
			total += uint64(b.Weight)
			template.Backends = append(template.Backends, b)
		}
	}
	if template.Redirect == nil && total == 0 {
		template.Status = 500 // nowhere to go: all weights zero, or no backend at all (HTTPRouteRule, backendRefs)
	}
	indices := make([]int, 0, len(matches))
	for j := range matches {
		indices = append(indices, j)
	}
	sort.Ints(indices)
	out := make([]*Rule, 0, len(indices))
	for _, j := range indices {
		rule := template
		rule.Match = matches[j]
		rule.order.match = j
		rule.Name = fmt.Sprintf("%s/%s/%d/%d", r.Namespace, r.Name, i, j)
		out = append(out, &rule)
	}
	return out
}

func convertTimes(spec *gatewayv1.HTTPRouteRule, rule *Rule) error {
	if t := spec.Timeouts; t != nil {
		var err error
		if rule.Timeout, err = duration(t.Request); err != nil {
			return fmt.Errorf("timeouts.request: %w", err)
		}
		if rule.BackendTimeout, err = duration(t.BackendRequest); err != nil {
			return fmt.Errorf("timeouts.backendRequest: %w", err)
		}
	}
	if r := spec.Retry; r != nil {
		rule.Retry = &Retry{Attempts: 1}
		if r.Attempts != nil {
			rule.Retry.Attempts = uint32(max(0, min(*r.Attempts, 100)))
		}
		for _, code := range r.Codes {
			if code < 400 || code > 599 {
				return fmt.Errorf("retry.codes: %d is not a status between 400 and 599", code)
			}
			rule.Retry.Codes = append(rule.Retry.Codes, uint32(code))
		}
		backoff, err := duration(r.Backoff)
		if err != nil {
			return fmt.Errorf("retry.backoff: %w", err)
		}
		if backoff != nil {
			rule.Retry.Backoff = *backoff
		}
	}
	return nil
}

// duration reads a duration of GEP-2257, nil if absent.
func duration(d *gatewayv1.Duration) (*time.Duration, error) {
	if d == nil {
		return nil, nil
	}
	if !durationForm.MatchString(string(*d)) {
		return nil, fmt.Errorf("%q is not a duration like 500ms or 1m30s", *d)
	}
	t, err := time.ParseDuration(string(*d))
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration: %w", *d, err)
	}
	return &t, nil
}
