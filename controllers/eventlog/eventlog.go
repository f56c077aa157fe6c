// Package eventlog turns the difference of two snapshots into readable log lines, one per change of state: what a
// person wants to read while wasmpoint runs in a terminal. It is pure; whoever has the snapshots writes the lines.
package eventlog

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// Line is one change of state.
type Line struct {
	// Level is Warn for what somebody has to look at, else Info.
	Level slog.Level
	Text  string
}

// maxServices bounds the lines about Services in one difference; the rest is counted.
const maxServices = 10

// Diff says what changed from prev (zero at start) to next: gateways, services, proxies, then plugins, each in the order
// of next with the deleted ones at the end. Counts alone make no line, so that a wide change is one line per target and not one per
// proxy. Load errors make none: whoever reads the files reports them with more detail.
func Diff(prev, next status.Snapshot) []Line {
	d := diff{prev: prev, next: next}
	d.gateways()
	d.services()
	d.proxies()
	d.plugins()
	return d.lines
}

type diff struct {
	prev, next status.Snapshot
	lines      []Line
}

func (d *diff) info(format string, args ...any) {
	d.lines = append(d.lines, Line{slog.LevelInfo, fmt.Sprintf(format, args...)})
}

func (d *diff) warn(format string, args ...any) {
	d.lines = append(d.lines, Line{slog.LevelWarn, fmt.Sprintf(format, args...)})
}

// index makes rows findable by their name.
func index[T any](rows []T, key func(T) string) map[string]T {
	out := make(map[string]T, len(rows))
	for _, r := range rows {
		out[key(r)] = r
	}
	return out
}

// gone lists the names that prev had and next has not, in prev's order.
func gone[T any](prev, next []T, key func(T) string) []string {
	have := index(next, key)
	var out []string
	for _, r := range prev {
		if _, still := have[key(r)]; !still {
			out = append(out, key(r))
		}
	}
	return out
}

func gatewayName(g status.GatewayRow) string { return "gateway " + g.Namespace + "/" + g.Name }

func (d *diff) gateways() {
	old := index(d.prev.Gateways, gatewayName)
	for _, g := range d.next.Gateways {
		o, known := old[gatewayName(g)]
		if known && o.Programmed == g.Programmed && o.Message == g.Message && where(o) == where(g) {
			continue
		}
		switch {
		case g.Programmed:
			d.info("%s: programmed at %s", gatewayName(g), where(g))
		case o.Programmed:
			d.warn("%s: not programmed any more%s", gatewayName(g), because(g.Message))
		case known && where(o) == where(g):
			d.info("%s: not programmed%s", gatewayName(g), because(g.Message))
		default:
			// New, or moved: nobody expects it to be programmed yet.
			d.info("%s: at %s%s", gatewayName(g), where(g), because(g.Message))
		}
	}
	for _, name := range gone(d.prev.Gateways, d.next.Gateways, gatewayName) {
		d.info("%s: deleted", name)
	}
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// where is "127.64.1.2 port 8080, 8443".
func where(g status.GatewayRow) string {
	if g.Address == "" {
		return "no address"
	}
	if len(g.Ports) == 0 {
		return g.Address
	}
	return g.Address + " port " + strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Ports), " ", ", "), "[]")
}

func serviceName(s status.ServiceRow) string {
	return strings.ToLower(s.Kind) + " " + s.Namespace + "/" + s.Name
}

// services speaks of those that use a waypoint or stop to use one; the others are none of wasmpoint's concern.
func (d *diff) services() {
	old := index(d.prev.Services, serviceName)
	count := 0
	say := func(format string, args ...any) {
		if count++; count <= maxServices {
			d.info(format, args...)
		}
	}
	for _, s := range d.next.Services {
		o := old[serviceName(s)]
		switch {
		case s.Waypoint != "" && (o.Waypoint != s.Waypoint || o.Address != s.Address):
			say("%s: uses waypoint %s at %s", serviceName(s), s.Waypoint, s.Address)
		case s.Waypoint == "" && o.Waypoint != "":
			say("%s: uses no waypoint any more", serviceName(s))
		}
	}
	for _, name := range gone(d.prev.Services, d.next.Services, serviceName) {
		if old[name].Waypoint != "" {
			say("%s: deleted", name)
		}
	}
	if count > maxServices {
		d.info("and %d more services changed", count-maxServices)
	}
}
