// Package rules decides whether a request may pass HTTP Basic authentication (RFC 7617). It knows nothing of WebAssembly
// or proxies, so that it can be tested anywhere.
package rules

import (
	"crypto/subtle"
	"slices"
	"strings"
)

// Decision is what becomes of a request.
type Decision int

const (
	// NotRequired means that no rule covers the request: it passes.
	NotRequired Decision = iota
	// Passed means that the request's credentials satisfy every rule that covers it.
	Passed
	// NoCredentials means that a rule covers the request and it carries no Basic credentials: 401.
	NoCredentials
	// WrongCredentials means that a rule covers the request and its credentials are not among the rule's: 401.
	WrongCredentials
)

// Request is what a decision looks at, as the proxy holds it.
type Request struct {
	// Method and Authority are the pseudo headers of those names. Path is :path, query string included.
	Method, Authority, Path string
	// Authorization is the header of that name; empty if there is none.
	Authorization string
}

// Rules are a checked configuration. They do not change and may be used from everywhere.
type Rules struct {
	rules []compiledRule
	realm string
}

// Realm is the protection space (RFC 7617, section 2).
func (r *Rules) Realm() string { return r.realm }

// Challenge is the value of the WWW-Authenticate header of a 401 answer.
func (r *Rules) Challenge() string {
	return `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.realm) + `"`
}

// Decide applies every rule that covers the request. As in Istio's plugin, all of them have to be satisfied.
func (r *Rules) Decide(req Request) Decision {
	paths := spellings(req.Path)
	decision := NotRequired
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.covers(req.Method, req.Authority, paths) {
			continue
		}
		given, ok := basicCredentials(req.Authorization)
		if !ok {
			return NoCredentials
		}
		if !rule.accepts(given) {
			return WrongCredentials
		}
		decision = Passed
	}
	return decision
}

type matchKind int

const (
	matchExact matchKind = iota
	matchPrefix
	matchSuffix
)

type pattern struct {
	kind matchKind
	text string
}

func (p pattern) matches(s string) bool {
	switch p.kind {
	case matchPrefix:
		return strings.HasPrefix(s, p.text)
	case matchSuffix:
		return strings.HasSuffix(s, p.text)
	default:
		return s == p.text
	}
}

type compiledRule struct {
	hosts       []pattern // empty: every host
	path        pattern
	methods     []string
	credentials [][]byte
}

func (r *compiledRule) covers(method, authority string, paths []string) bool {
	if !slices.Contains(r.methods, method) {
		return false
	}
	if len(r.hosts) > 0 {
		host := hostOf(authority)
		if !slices.ContainsFunc(r.hosts, func(p pattern) bool { return p.matches(host) }) {
			return false
		}
	}
	// A request without a path (CONNECT) cannot be told apart by path: every rule covers it.
	return len(paths) == 0 || slices.ContainsFunc(paths, r.path.matches)
}

// accepts compares with every credential, found or not, so that the time taken says nothing about which one came close.
func (r *compiledRule) accepts(given []byte) bool {
	found := 0
	for _, c := range r.credentials {
		found |= subtle.ConstantTimeCompare(c, given)
	}
	return found == 1
}

// basicCredentials returns user:password of an Authorization header. The scheme's case does not matter (RFC 9110, 11.1).
func basicCredentials(header string) ([]byte, bool) {
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return nil, false
	}
	return decodeBase64(strings.Trim(rest, " "))
}

// hostOf is the authority without its port, in small letters. Only a colon after the brackets of an IPv6 address begins a port.
func hostOf(authority string) string {
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		authority = authority[:colon]
	}
	return strings.ToLower(authority)
}
