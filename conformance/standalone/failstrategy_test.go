package standalone_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// TestANewPluginWithoutItsModuleFollowsItsFailStrategy: nothing changes while the first fetch is waited for; then
// FAIL_CLOSE answers 503 and says why, FAIL_OPEN leaves the plugin out; the fetch goes on and heals both.
func TestANewPluginWithoutItsModuleFollowsItsFailStrategy(t *testing.T) {
	dead := registrytest.Start(t)
	dead.Kill()
	missing := "oci://" + dead.Host + "/missing:v1"
	shut, _ := backend(t, "web", "", "http")
	open, _ := backend(t, "open", inMesh, "http")
	w := prepare(t, map[string]string{"web.yaml": shut, "open.yaml": open, "edge.yaml": ingress, "waypoint.yaml": waypoint})
	w.options.WaitForModule = 1500 * time.Millisecond
	w.run()
	edge, service := w.gateway("edge"), w.service("open", 9080)
	good := w.module("good.wasm", "1")
	w.write("good.yaml", pluginManifest("good", good, "Gateway", "edge", "{name: good}", ""))
	w.answers(edge, "/", 200, "good")
	w.answers(service, "/", 200, "")

	begin := time.Now()
	w.write("shut.yaml", pluginManifest("shut", missing, "Gateway", "edge", "{name: shut}", "  failStrategy: FAIL_CLOSE\n  phase: AUTHN"))
	w.write("open-plugin.yaml", pluginManifest("open", missing, "Service", "open", "{name: open}", "  failStrategy: FAIL_OPEN"))
	w.plugin("shut", "its module cannot be had", func(p status.PluginRow) bool { return p.Module.Reason == "FetchFailed" })
	t.Logf("FetchFailed in status after %s", time.Since(begin).Round(time.Millisecond))
	if time.Since(begin) < w.options.WaitForModule/2 {
		w.stays(edge, "/", 200, "good", 10) // a serving proxy goes on meanwhile
	}
	w.answers(edge, "/", 503, "")
	if took := time.Since(begin); took < w.options.WaitForModule {
		t.Errorf("the fail strategy acted after %s, want at least %s", took, w.options.WaitForModule)
	}
	t.Logf("FAIL_CLOSE acts after %s", time.Since(begin).Round(time.Millisecond))
	if body := w.body(edge); !strings.Contains(body, "default/shut") {
		t.Errorf("the body is %q; it has to name the plugin", body)
	}
	w.stays(service, "/", 200, "", 20)
	w.plugin("shut", "the fail strategy is said to be in force", func(p status.PluginRow) bool {
		return !p.Programmed && strings.Contains(p.Targets[0].ProgrammedMessage, "fail strategy FAIL_CLOSE in force")
	})
	w.plugin("open", "it is not said to be programmed", func(p status.PluginRow) bool {
		return !p.Programmed && p.ProgrammedReason == "ModuleMissing"
	})

	t.Run("a proxy that starts now never answers without it", func(t *testing.T) {
		w.killProxy("edge", syscall.SIGKILL)
		w.eventually("the proxy answers again", func() (bool, string) {
			code, _, err := get(edge, "/")
			if err == nil && code != http.StatusServiceUnavailable {
				t.Fatalf("answered %d", code)
			}
			return err == nil, fmt.Sprint(err)
		})
		w.stays(edge, "/", 503, "", 20)
	})
	t.Run("both heal when their module can be had", func(t *testing.T) {
		w.write("shut.yaml", pluginManifest("shut", good, "Gateway", "edge", "{name: shut}", "  failStrategy: FAIL_CLOSE\n  phase: AUTHN"))
		w.write("open-plugin.yaml", pluginManifest("open", good, "Service", "open", "{name: open}", "  failStrategy: FAIL_OPEN"))
		w.answers(edge, "/", 200, "shut,good")
		w.answers(service, "/", 200, "open")
	})
}

func (w *world) body(addr string) string {
	w.t.Helper()
	resp, err := client.Get("http://" + addr + "/")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}
