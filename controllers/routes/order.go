package routes

import (
	"cmp"
	"slices"
	"time"
)

// order is where a rule comes from: what decides between rules whose matches weigh the same.
type order struct {
	// domain is the hostname of the route through which the rule got into a virtual host.
	domain          string
	created         time.Time
	namespace, name string
	rule, match     int
}

// sortRules brings rules of one virtual host into the order in which they are tried: the more specific hostname, then the
// match (HTTPRouteRule, "precedence"), then the older route, its namespace and name, the place in the route.
func sortRules(rules []*Rule) {
	slices.SortStableFunc(rules, func(a, b *Rule) int {
		if a.order.domain != b.order.domain {
			if moreSpecific(a.order.domain, b.order.domain) {
				return -1
			}
			if moreSpecific(b.order.domain, a.order.domain) {
				return 1
			}
		}
		return cmp.Or(
			compareMatches(&a.Match, &b.Match),
			a.order.created.Compare(b.order.created),
			cmp.Compare(a.order.namespace, b.order.namespace),
			cmp.Compare(a.order.name, b.order.name),
			cmp.Compare(a.order.rule, b.order.rule),
			cmp.Compare(a.order.match, b.order.match),
		)
	})
}

func compareMatches(a, b *Match) int {
	return cmp.Or(
		cmp.Compare(a.PathKind, b.PathKind),
		longerFirst(a, b),
		-compareBool(a.Method != "", b.Method != ""),
		-cmp.Compare(len(a.Headers), len(b.Headers)),
		-cmp.Compare(len(a.Query), len(b.Query)),
	)
}

// longerFirst compares the lengths of two paths of equal kind; those of exact paths never matter.
func longerFirst(a, b *Match) int {
	if a.PathKind == PathExact {
		return 0
	}
	return -cmp.Compare(len(a.Path), len(b.Path))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
