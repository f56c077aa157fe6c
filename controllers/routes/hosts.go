package routes

import "strings"

// anyHost is the domain of a listener or route without hostname.
const anyHost = "*"

func domain(hostname string) string {
	if hostname == "" {
		return anyHost
	}
	return strings.ToLower(hostname)
}

// covers tells whether every host of domain inner is a host of domain outer. "*.a" covers "b.a" and "c.b.a", not "a"
// (Gateway API, Hostname).
func covers(outer, inner string) bool {
	if outer == anyHost || outer == inner {
		return true
	}
	suffix, wild := strings.CutPrefix(outer, "*")
	if !wild || inner == anyHost {
		return false
	}
	return strings.HasSuffix(strings.TrimPrefix(inner, "*"), suffix) && strings.TrimPrefix(inner, "*") != suffix
}

// intersect gives the domain that two domains share; wildcards are suffixes, so one of the two is the answer.
func intersect(a, b string) (string, bool) {
	switch {
	case covers(a, b):
		return b, true
	case covers(b, a):
		return a, true
	default:
		return "", false
	}
}

// moreSpecific tells whether domain a is asked before domain b: exact before wildcard, then the longer one.
func moreSpecific(a, b string) bool {
	aWild, bWild := strings.HasPrefix(a, "*"), strings.HasPrefix(b, "*")
	if aWild != bWild {
		return bWild
	}
	return len(a) > len(b)
}
