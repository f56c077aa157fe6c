package badinput

import "strings"

// refs is a list of n targets in flow style.
func refs(n int) string {
	return strings.TrimSuffix(strings.Repeat("{kind: Service, name: x}, ", n), ", ")
}
