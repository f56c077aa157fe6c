package standalone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lua is a TrafficExtension that leaves its name as the marker does.
func lua(name, kind, target, more string) string {
	group := "gateway.networking.k8s.io"
	if kind == "Service" {
		group = `""`
	}
	return fmt.Sprintf(`apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata:
  name: %[1]s
spec:
  targetRefs:
  - {group: %[2]s, kind: %[3]s, name: %[4]s}
%[5]s
  lua:
    inlineCode: |
      local function mark(headers, header)
        local before = headers:get(header)
        headers:replace(header, before and before .. ",%[1]s" or "%[1]s")
      end
      function envoy_on_request(handle) mark(handle:headers(), "x-plugins") end
      function envoy_on_response(handle) mark(handle:headers(), "x-plugins-response") end
`, name, group, kind, target, more)
}

// TestPluginsRunInTheirOrder: phase, then priority with the highest first and none at the end, then age, then name, then
// kind; WasmPlugins and TrafficExtensions, Wasm and Lua mixed. Responses meet them the other way round.
func TestPluginsRunInTheirOrder(t *testing.T) {
	web, _ := backend(t, "web", inMesh, "http")
	w := start(t, map[string]string{"web.yaml": web, "edge.yaml": ingress, "waypoint.yaml": waypoint})
	module := w.module("marker.wasm", "1")
	for _, place := range []struct{ name, addr, kind, target string }{
		{"gateway", w.gateway("edge"), "Gateway", "edge"},
		{"waypoint", w.service("web", 9080), "Service", "web"},
	} {
		t.Run(place.name, func(t *testing.T) {
			wasm := func(name, more string) string {
				return pluginManifest(name, module, place.kind, place.target, "{name: "+name+"}", more)
			}
			script := func(name, more string) string { return lua(name, place.kind, place.target, more) }
			older := func(manifest, date string) string {
				return strings.Replace(manifest, "\nspec:", "\n  creationTimestamp: "+date+"\nspec:", 1)
			}
			// In the order that is expected; the files come in another one.
			inOrder := []struct{ name, manifest string }{
				{"authn-high", wasm("authn-high", "  phase: AUTHN\n  priority: 10")},
				{"authn-zero", script("authn-zero", "  phase: AUTHN\n  priority: 0")},
				{"authn-negative", wasm("authn-negative", "  phase: AUTHN\n  priority: -5")},
				{"authn-none", wasm("authn-none", "  phase: AUTHN")},
				{"authz-lua", script("authz-lua", "  phase: AUTHZ\n  priority: 2")},
				{"authz-wasm", wasm("authz-wasm", "  phase: AUTHZ\n  priority: 1")},
				{"stats", wasm("stats", "  phase: STATS")},
				{"z-old", older(wasm("z-old", "  priority: 7"), "2020-01-01T00:00:00Z")},
				{"a-new", older(script("a-new", "  priority: 7"), "2024-01-01T00:00:00Z")},
				{"same-a", wasm("same-a", "  priority: 3")},
				{"same-b", script("same-b", "  priority: 3")},
				{"last", script("last", "")},
			}
			var want []string
			for _, p := range inOrder {
				want = append(want, p.name)
			}
			reversed := slices.Clone(want)
			slices.Reverse(reversed)
			for i := range inOrder {
				p := inOrder[(i*5+3)%len(inOrder)]
				w.write(p.name+".yaml", p.manifest)
			}
			w.answers(place.addr, "/", 200, strings.Join(want, ","))
			_, h, err := get(place.addr, "/")
			if got := h.Get("x-plugins-response"); err != nil || got != strings.Join(reversed, ",") {
				t.Errorf("responses meet %s, want %s (%v)", got, strings.Join(reversed, ","), err)
			}
			for _, p := range inOrder {
				w.plugin(p.name, "programmed", programmed)
				w.remove(p.name + ".yaml")
			}
			w.answers(place.addr, "/", 200, "")
		})
	}
}
