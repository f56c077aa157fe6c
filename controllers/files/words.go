package files

import (
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// nearest finds the key of m that differs from name in case only, or in at most two letters; "" if there is none.
func nearest[V any](name string, m map[string]V) string {
	best, bestDistance := "", 3
	for _, k := range sortedKeys(m) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if bestDistance >= len(name) {
		return ""
	}
	return best
}

// distance counts the letters that have to be changed, added or removed (Levenshtein, in bytes).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
