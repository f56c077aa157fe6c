package standalone_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// TestABrokenFileKeepsItsLastGoodState in force, and names file and line until it is right again; other files go on.
func TestABrokenFileKeepsItsLastGoodState(t *testing.T) {
	web, _ := backend(t, "web", "", "http")
	w := start(t, map[string]string{"web.yaml": web, "edge.yaml": ingress})
	edge, marker := w.gateway("edge"), w.module("marker.wasm", "1")
	plugin := func(name, config string) string {
		return pluginManifest(name, marker, "Gateway", "edge", config, "  phase: AUTHN")
	}
	w.write("a.yaml", plugin("a", "{name: a1}"))
	w.write("b.yaml", plugin("b", "{name: b1}"))
	w.answers(edge, "/", 200, "a1,b1")

	for _, c := range []struct {
		name, content, text string
		line                int
	}{
		{"YAML that does not parse", "apiVersion: extensions.istio.io/v1alpha1\nkind: [WasmPlugin\n", "", 0},
		{"an unknown field", strings.Replace(plugin("a", "{name: a2}"), "  phase: AUTHN", "  fase: AUTHN", 1), "fase", 10},
		{"a value of the wrong type", strings.Replace(plugin("a", "{name: a2}"), "  phase: AUTHN", "  priority: first", 1), "priority", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Now()
			w.write("a.yaml", c.content)
			problem := w.loadError()
			t.Logf("in the snapshot after %s: %s", time.Since(begin).Round(time.Millisecond), problem.Message)
			if filepath.Base(problem.File) != "a.yaml" || problem.Line == 0 || !strings.Contains(problem.Message, c.text) {
				t.Errorf("the load error is %+v", problem)
			}
			if c.line != 0 && problem.Line != c.line {
				t.Errorf("line %d, want %d", problem.Line, c.line)
			}
			w.stays(edge, "/", 200, "a1,b1", 20)
			w.write("b.yaml", plugin("b", "{name: b2}"))
			w.answers(edge, "/", 200, "a1,b2") // other files are not held up
			w.write("b.yaml", plugin("b", "{name: b1}"))
			w.answers(edge, "/", 200, "a1,b1")
			w.write("a.yaml", plugin("a", "{name: healed}"))
			w.answers(edge, "/", 200, "healed,b1")
			w.noLoadError()
			w.write("a.yaml", plugin("a", "{name: a1}"))
			w.answers(edge, "/", 200, "a1,b1")
		})
	}
	t.Run("a broken file that is deleted takes its objects along", func(t *testing.T) {
		w.write("a.yaml", "kind: [")
		w.loadError()
		w.remove("a.yaml")
		w.answers(edge, "/", 200, "b1")
		w.noLoadError()
	})
}

func (w *world) loadError() (out status.LoadError) {
	w.t.Helper()
	w.eventually("one load error", func() (bool, string) {
		list := w.snapshot().LoadErrors
		if len(list) == 1 {
			out = list[0]
		}
		return len(list) == 1, fmt.Sprint(list)
	})
	return out
}

func (w *world) noLoadError() {
	w.t.Helper()
	w.eventually("no load error", func() (bool, string) {
		list := w.snapshot().LoadErrors
		return len(list) == 0, fmt.Sprint(list)
	})
}
