package routes

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// convertMatches gives the matches of a rule; a rule without any matches every request. A match that cannot be told to
// Envoy is an error and left out, its index is missing in the result's.
func convertMatches(rule *gatewayv1.HTTPRouteRule) (matches map[int]Match, errs []error) {
	if len(rule.Matches) == 0 {
		return map[int]Match{0: {PathKind: PathPrefix, Path: "/"}}, nil
	}
	matches = map[int]Match{}
	for i := range rule.Matches {
		m, err := convertMatch(&rule.Matches[i])
		if err != nil {
			errs = append(errs, fmt.Errorf("matches[%d].%w", i, err))
			continue
		}
		matches[i] = m
	}
	return matches, errs
}

func convertMatch(in *gatewayv1.HTTPRouteMatch) (Match, error) {
	m := Match{PathKind: PathPrefix, Path: "/"}
	if in.Path != nil {
		if in.Path.Value != nil {
			m.Path = *in.Path.Value
		}
		kind := gatewayv1.PathMatchPathPrefix
		if in.Path.Type != nil {
			kind = *in.Path.Type
		}
		var err error
		switch kind {
		case gatewayv1.PathMatchExact:
			m.PathKind, err = PathExact, checkPath(m.Path)
		case gatewayv1.PathMatchPathPrefix:
			err = checkPath(m.Path)
			m.Path = trimSlash(m.Path)
		case gatewayv1.PathMatchRegularExpression:
			m.PathKind, err = PathRegex, checkRegex(m.Path)
		default:
			return m, fmt.Errorf("path.type: %q is not supported, use Exact, PathPrefix or RegularExpression", kind)
		}
		if err != nil {
			return m, fmt.Errorf("path.value: %w", err)
		}
	}
	if in.Method != nil {
		m.Method = string(*in.Method)
		if err := checkHeaderName(m.Method); err != nil { // a method is a token, as a header's name is
			return m, fmt.Errorf("method: %q is not a method", m.Method)
		}
	}
	// Of several conditions on one name the first counts (HTTPRouteMatch).
	seen := map[string]bool{}
	for i, h := range in.Headers {
		name := strings.ToLower(string(h.Name))
		if seen[name] {
			continue
		}
		seen[name] = true
		regex, err := isRegex(h.Type == nil || *h.Type == gatewayv1.HeaderMatchExact, h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression)
		if err == nil {
			err = checkHeaderName(name)
		}
		if err == nil {
			err = checkValue(h.Value, regex)
		}
		if err != nil {
			return m, fmt.Errorf("headers[%d]: %w", i, err)
		}
		m.Headers = append(m.Headers, ValueMatch{Name: name, Value: h.Value, Regex: regex})
	}
	clear(seen)
	for i, q := range in.QueryParams {
		name := string(q.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		regex, err := isRegex(q.Type == nil || *q.Type == gatewayv1.QueryParamMatchExact, q.Type != nil && *q.Type == gatewayv1.QueryParamMatchRegularExpression)
		if err == nil {
			err = checkValue(q.Value, regex)
		}
		if err != nil {
			return m, fmt.Errorf("queryParams[%d]: %w", i, err)
		}
		m.Query = append(m.Query, ValueMatch{Name: name, Value: q.Value, Regex: regex})
	}
	return m, nil
}

func isRegex(exact, regex bool) (bool, error) {
	if !exact && !regex {
		return false, fmt.Errorf("type is not supported, use Exact or RegularExpression")
	}
	return regex, nil
}

func checkValue(value string, regex bool) error {
	if regex {
		return checkRegex(value)
	}
	return checkHeaderValue(value)
}

// trimSlash drops slashes at the end: they mean nothing in a prefix (PathMatchPathPrefix).
func trimSlash(p string) string {
	if t := strings.TrimRight(p, "/"); t != "" {
		return t
	}
	return "/"
}
