package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// WriteTables prints a snapshot for people: problems with files first, then plugins, proxies, gateways, and the services
// that use a waypoint. Ages are relative to now.
func WriteTables(w io.Writer, s Snapshot, now time.Time) error {
	var b strings.Builder
	for _, e := range s.LoadErrors {
		fmt.Fprintf(&b, "problem: %s (what the file held before stays in force)\n", e)
	}
	if len(s.LoadErrors) > 0 {
		b.WriteString("\n")
	}
	pluginTable(&b, s, now)
	proxyTable(&b, s, now)
	gatewayTable(&b, s)
	serviceTable(&b, s)
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}

// String is "file:line: message", without repeating a place that the message begins with.
func (e LoadError) String() string {
	switch {
	case strings.HasPrefix(e.Message, e.File):
		return e.Message
	case e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return e.File + ": " + e.Message
}

// table aligns rows of cells and ends with an empty line. Empty cells become "-", so that every column can be cut out.
func table(w io.Writer, header string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.ReplaceAll(header, " | ", "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if row[i] = strings.Join(strings.Fields(cell), " "); row[i] == "" {
				row[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
}

func pluginTable(w io.Writer, s Snapshot, now time.Time) {
	if len(s.Plugins) == 0 {
		_, _ = fmt.Fprint(w, "no plugins\n\n")
	}
	var rows [][]string
	for _, p := range s.Plugins {
		accepted := "True"
		if !p.Accepted {
			accepted = p.Reason
		}
		rows = append(rows, []string{
			p.Namespace, p.Name, p.Kind, targets(p.Targets), p.Phase, accepted, moduleText(p.Module),
			fmt.Sprintf("%d/%d", p.Running, p.Total), age(p.Created, now), p.LastError,
		})
	}
	table(w, "NAMESPACE | NAME | KIND | TARGETS | PHASE | ACCEPTED | MODULE | PROGRAMMED | AGE | LAST ERROR", rows)
}

// targets names the targets; one that did not accept the plugin has a "!".
func targets(list []TargetRow) string {
	var out []string
	for _, t := range list {
		text := t.Kind + "/" + t.Name
		if !t.Accepted {
			text += "!"
		}
		out = append(out, text)
	}
	return few(out, ",")
}

// moduleText is the digest in the length that git uses, or why there is none.
func moduleText(m ModuleRow) string {
	switch {
	case m.URL == "":
		return "inline"
	case !m.Ready && m.Reason != "":
		return m.Reason
	}
	return short(m.Digest)
}

func proxyTable(w io.Writer, s Snapshot, now time.Time) {
	var rows [][]string
	for _, p := range s.Proxies {
		connected, nack := "no", p.LastNACK
		if !p.Connected.IsZero() {
			connected = age(p.Connected, now)
		}
		if nack != "" {
			nack = age(p.LastNACKTime, now) + " ago: " + nack
		}
		rows = append(rows, []string{
			p.Gateway, p.ID, connected, p.EnvoyVersion, fmt.Sprint(p.Slots), fmt.Sprintf("%d/%d", p.Synced, p.Slots), clip(nack),
		})
	}
	table(w, "GATEWAY | PROXY | CONNECTED | ENVOY | SLOTS | SYNCED | LAST NACK", rows)
}

func gatewayTable(w io.Writer, s Snapshot) {
	var rows [][]string
	for _, g := range s.Gateways {
		kind, programmed := "gateway", "False"
		if g.Waypoint {
			kind = "waypoint"
		}
		if g.Programmed {
			programmed = "True"
		}
		ports := strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Ports), " ", ","), "[]")
		rows = append(rows, []string{g.Namespace, g.Name, g.Class, kind, g.Address, ports, programmed, g.Message})
	}
	table(w, "NAMESPACE | GATEWAY | CLASS | ROLE | ADDRESS | PORTS | PROGRAMMED | MESSAGE", rows)
}

func serviceTable(w io.Writer, s Snapshot) {
	var rows [][]string
	for _, v := range s.Services {
		if v.Waypoint != "" || v.Message != "" {
			rows = append(rows, []string{v.Namespace, v.Name, v.Kind, v.Address, v.Waypoint, v.Message})
		}
	}
	table(w, "NAMESPACE | SERVICE | KIND | ADDRESS | WAYPOINT | MESSAGE", rows)
}

// age is kubectl's form, such as 5m or 3d4h; empty for an unknown time.
func age(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(0, now.Sub(since)))
}
