package files

import (
	"maps"
	"slices"
	"strings"

	"github.com/wasmpoint/wasmpoint/apis/validation"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// nearest finds the key of m that differs from name in case only, or in at most two letters; "" if there is none.
func nearest[V any](name string, m map[string]V) string {
	best, bestDistance := "", 3
	for _, k := range sortedKeys(m) {
		if d := validation.Distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if bestDistance >= len(name) {
		return ""
	}
	return best
}
