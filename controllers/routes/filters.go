package routes

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// changes are what the filters of a rule or backend do.
type changes struct {
	request, response Headers
	redirect          *Redirect
	rewrite           *Rewrite
}

// convertFilters reads the filters of a rule. An error names the first filter that cannot be done; a rule with such a
// filter is answered 500, because a filter may be what keeps a request out (HTTPRouteFilter: must not be skipped).
func convertFilters(filters []gatewayv1.HTTPRouteFilter, matches map[int]Match, port int32, tls bool) (c changes, err error) {
	for i := range filters {
		f := &filters[i]
		switch {
		case f.Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier && f.RequestHeaderModifier != nil:
			c.request, err = convertHeaders(f.RequestHeaderModifier)
		case f.Type == gatewayv1.HTTPRouteFilterResponseHeaderModifier && f.ResponseHeaderModifier != nil:
			c.response, err = convertHeaders(f.ResponseHeaderModifier)
		case f.Type == gatewayv1.HTTPRouteFilterRequestRedirect && f.RequestRedirect != nil:
			c.redirect, err = convertRedirect(f.RequestRedirect, matches, port, tls)
		case f.Type == gatewayv1.HTTPRouteFilterURLRewrite && f.URLRewrite != nil:
			c.rewrite, err = convertRewrite(f.URLRewrite, matches)
		case f.Type == gatewayv1.HTTPRouteFilterExtensionRef && f.ExtensionRef != nil:
			err = fmt.Errorf("ExtensionRef to %s/%s %q is not known", f.ExtensionRef.Group, f.ExtensionRef.Kind, f.ExtensionRef.Name)
		default:
			err = fmt.Errorf("type %q is not supported, use RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect or URLRewrite", f.Type)
		}
		if err != nil {
			return c, fmt.Errorf("filters[%d]: %w", i, err)
		}
	}
	if c.redirect != nil && c.rewrite != nil {
		return c, fmt.Errorf("filters: RequestRedirect and URLRewrite exclude each other")
	}
	return c, nil
}

// headerFilters reads the filters of one backend: only headers can be changed there.
func headerFilters(filters []gatewayv1.HTTPRouteFilter) (changes, error) {
	for i, f := range filters {
		if f.Type != gatewayv1.HTTPRouteFilterRequestHeaderModifier && f.Type != gatewayv1.HTTPRouteFilterResponseHeaderModifier {
			return changes{}, fmt.Errorf("filters[%d]: type %q is not supported on a backend, use RequestHeaderModifier or ResponseHeaderModifier", i, f.Type)
		}
	}
	return convertFilters(filters, nil, 0, false)
}

func convertHeaders(f *gatewayv1.HTTPHeaderFilter) (Headers, error) {
	var h Headers
	for _, list := range []struct {
		in  []gatewayv1.HTTPHeader
		out *[]Header
	}{{f.Set, &h.Set}, {f.Add, &h.Add}} {
		for _, e := range list.in {
			if err := checkChange(string(e.Name)); err != nil {
				return h, err
			}
			if err := checkHeaderValue(e.Value); err != nil {
				return h, err
			}
			*list.out = append(*list.out, Header{Name: string(e.Name), Value: e.Value})
		}
	}
	for _, name := range f.Remove {
		if err := checkChange(name); err != nil {
			return h, err
		}
		h.Remove = append(h.Remove, name)
	}
	return h, nil
}

func checkChange(name string) error {
	if strings.EqualFold(name, "host") {
		return fmt.Errorf("header %q cannot be changed so, use URLRewrite's hostname", name)
	}
	return checkHeaderName(name)
}

func convertRedirect(f *gatewayv1.HTTPRequestRedirectFilter, matches map[int]Match, port int32, tls bool) (*Redirect, error) {
	r := &Redirect{Code: 302}
	if f.StatusCode != nil {
		r.Code = *f.StatusCode
	}
	switch r.Code {
	case 301, 302, 303, 307, 308:
	default:
		return nil, fmt.Errorf("requestRedirect.statusCode: %d is not supported, use 301, 302, 303, 307 or 308", r.Code)
	}
	if f.Scheme != nil {
		r.Scheme = *f.Scheme
		if r.Scheme != "http" && r.Scheme != "https" {
			return nil, fmt.Errorf("requestRedirect.scheme: %q is not supported, use http or https", r.Scheme)
		}
	}
	if f.Hostname != nil {
		r.Hostname = strings.ToLower(string(*f.Hostname))
		if !hostnameForm.MatchString(r.Hostname) || strings.HasPrefix(r.Hostname, "*") {
			return nil, fmt.Errorf("requestRedirect.hostname: %q is not a hostname", r.Hostname)
		}
	}
	switch {
	case f.Port != nil:
		r.Port = *f.Port
	case r.Scheme == "http":
		r.Port = 80
	case r.Scheme == "https":
		r.Port = 443
	case r.Hostname != "":
		// Without a new hostname the request's Host keeps its port: the client knows best how it got here.
		r.Port = port
	}
	secure := r.Scheme == "https" || r.Scheme == "" && tls
	r.WellKnown = secure && r.Port == 443 || !secure && r.Port == 80
	var err error
	r.Path, err = convertPath(f.Path, matches)
	return r, err
}

func convertRewrite(f *gatewayv1.HTTPURLRewriteFilter, matches map[int]Match) (*Rewrite, error) {
	r := &Rewrite{}
	if f.Hostname != nil {
		r.Hostname = strings.ToLower(string(*f.Hostname))
		if !hostnameForm.MatchString(r.Hostname) || strings.HasPrefix(r.Hostname, "*") {
			return nil, fmt.Errorf("urlRewrite.hostname: %q is not a hostname", r.Hostname)
		}
	}
	var err error
	r.Path, err = convertPath(f.Path, matches)
	return r, err
}

func convertPath(p *gatewayv1.HTTPPathModifier, matches map[int]Match) (*PathChange, error) {
	switch {
	case p == nil:
		return nil, nil
	case p.Type == gatewayv1.FullPathHTTPPathModifier && p.ReplaceFullPath != nil:
		full := *p.ReplaceFullPath
		if !strings.HasPrefix(full, "/") {
			full = "/" + full
		}
		if err := checkHeaderValue(full); err != nil {
			return nil, fmt.Errorf("path.replaceFullPath: %w", err)
		}
		return &PathChange{Value: full}, nil
	case p.Type == gatewayv1.PrefixMatchHTTPPathModifier && p.ReplacePrefixMatch != nil:
		for _, m := range matches {
			if m.PathKind != PathPrefix {
				return nil, fmt.Errorf("path.replacePrefixMatch needs matches of type PathPrefix only")
			}
		}
		prefix := strings.TrimRight(*p.ReplacePrefixMatch, "/")
		if prefix != "" && !strings.HasPrefix(prefix, "/") {
			prefix = "/" + prefix
		}
		if err := checkHeaderValue(prefix); err != nil {
			return nil, fmt.Errorf("path.replacePrefixMatch: %w", err)
		}
		return &PathChange{Prefix: true, Value: prefix}, nil
	default:
		return nil, fmt.Errorf("path.type: %q is not supported, use ReplaceFullPath or ReplacePrefixMatch with its field", p.Type)
	}
}
