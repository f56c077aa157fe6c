package tests

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "KubectlGet",
		Description: "kubectl get shows targets, phase, priority, conditions and the module of plugins, and kubectl wait waits for Programmed.",
		Features:    []features.FeatureName{suite.AttachToGateway, suite.PrinterColumns},
		Manifests:   []string{"base/edge.yaml", "kubectl-get.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("edge", 1)
			w.Apply("plugin")
			w.Kubectl("wait", "--for=condition=Programmed", "--timeout=60s", "wasmplugin/marker")
			p := w.Programmed("marker", 1)
			table := rows(w.Kubectl("get", "wasmplugin"))
			if want := "NAME TARGETS PHASE PRIORITY ACCEPTED PROGRAMMED MODULE AGE"; table[0] != want {
				t.Errorf("the columns are %s, want %s", table[0], want)
			}
			row := fmt.Sprintf("marker Gateway/edge AUTHZ 3 True True %s ", p.Status.Summary.Module)
			if len(table) != 2 || len(p.Status.Summary.Module) != 12 || !strings.HasPrefix(table[1], row) {
				t.Errorf("the rows are %q, want one that begins with %q", table[1:], row)
			}
			wide := rows(w.Kubectl("get", "wasmplugin", "-o", "wide"))
			if want := table[0] + " URL MESSAGE"; wide[0] != want {
				t.Errorf("the wide columns are %s, want %s", wide[0], want)
			}
			if !strings.Contains(wide[1], w.URL("MARKER")+" 1/1 proxies run it") {
				t.Errorf("the wide row is %q", wide[1])
			}
			w.Programmed("te:lua", 1)
			if script := rows(w.Kubectl("get", "trafficextension")); script[0] != table[0] || !strings.HasPrefix(script[1], "lua Gateway/edge True True lua ") {
				t.Errorf("TrafficExtensions are shown as %q", script)
			}
		},
	})
}

// rows are the lines of a table with single blanks between cells.
func rows(table string) (out []string) {
	for line := range strings.Lines(table) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}
