package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Formats are the output formats that Write knows.
var Formats = []string{"table", "json", "yaml"}

// Write prints a Result in one of the Formats. The error names an unknown format, or is the writer's.
func Write(w io.Writer, r *Result, format string) error {
	switch format {
	case "table":
		return table(w, r)
	case "json":
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "yaml":
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		if err := e.Encode(r); err != nil {
			return err
		}
		return e.Close()
	}
	return fmt.Errorf("output format %q is unknown; use one of %s", format, strings.Join(Formats, ", "))
}

// table prints two tables. A scope or plugin with several rows is named in the first one only.
func table(w io.Writer, r *Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, c := range cells {
			if c == "" {
				cells[i] = "-"
			}
		}
		// The writer's error comes with Flush.
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	row("GATEWAY", "LISTENER", "PORT", "SERVICE", "PHASE", "PLUGINS")
	for i := range r.Scopes {
		s := &r.Scopes[i]
		head := []string{s.Gateway, s.Listener, strconv.Itoa(int(s.Port)), service(s)}
		lines := slots(s)
		if len(lines) == 0 {
			lines = [][2]string{{"-", "-"}}
		}
		for _, l := range lines {
			row(append(head, l[0], l[1])...)
			head = []string{" ", " ", " ", " "}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	row("PLUGIN", "TARGET", "ACCEPTED", "REASON", "MESSAGE")
	for _, p := range r.Plugins {
		head := p.Kind + " " + p.Namespace + "/" + p.Name
		for _, target := range p.Targets {
			accepted := "no"
			if target.Accepted {
				accepted = "yes"
			}
			row(head, name(target), accepted, target.Reason, target.Message)
			head = " "
		}
	}
	return t.Flush()
}

func service(s *Scope) string {
	if s.Service == "" {
		return ""
	}
	return s.ServiceKind + " " + s.Service
}

// slots are the rows of a scope: phase and plugins, HTTP first.
func slots(s *Scope) [][2]string {
	var out [][2]string
	for i, phase := range model.Phases {
		if list := s.Phases.list(i); len(list) > 0 {
			out = append(out, [2]string{string(phase), strings.Join(list, ", ")})
		}
	}
	for i, phase := range model.Phases {
		if list := s.Network.list(i); len(list) > 0 {
			out = append(out, [2]string{string(phase) + " (network)", strings.Join(list, ", ")})
		}
	}
	return out
}

func name(t Target) string {
	switch {
	case t.Kind == "" && t.Name == "":
		return ""
	case t.Namespace == "":
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}
