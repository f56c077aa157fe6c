package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// TestTheLastGoodPluginSurvivesARestart: a plugin's next module cannot be had, and wasmpoint is stopped and started. The
// proxies that run the last good one go on with it untouched, and a new proxy gets it, too.
func TestTheLastGoodPluginSurvivesARestart(t *testing.T) {
	dead := registrytest.Start(t)
	dead.Kill()
	web, u := backend(t, "web", "", "http")
	w := prepare(t, map[string]string{"web.yaml": web, "edge.yaml": ingress})
	w.ownProxies()
	w.run()
	proxies := w.startProxies()
	edge := w.gateway("edge")
	w.write("auth.yaml", authManifest("auth", w.authModule(), "Gateway", "edge", "first"))
	w.plugin("auth", "programmed", programmed)
	w.write("auth.yaml", authManifest("auth", "oci://"+dead.Host+"/auth:v2", "Gateway", "edge", "second"))
	inForce := func(p status.PluginRow) bool {
		return p.Module.Reason == "FetchFailed" && !p.Programmed && strings.Contains(p.Targets[0].ProgrammedMessage, "last good configuration")
	}
	w.plugin("auth", "the last good one is in force", inForce)
	guards := func() {
		t.Helper()
		w.stays(edge, "/", 200, "", 20)
		for range 20 {
			code, h, err := anonymous(edge, "/")
			if err != nil || code != http.StatusUnauthorized || !strings.Contains(h.Get("www-authenticate"), "first") {
				t.Fatalf("status %d, %q, error %v", code, h.Get("www-authenticate"), err)
			}
		}
	}
	guards()
	before := w.reloads()
	w.stop()
	w.run()
	w.plugin("auth", "the last good one is still in force", inForce)
	guards()
	if after := w.reloads(); after != before {
		t.Errorf("the restart reloaded slots: %s before, %s after", before, after)
	}

	t.Run("a new proxy gets it", func(t *testing.T) {
		proxies["edge"].Kill()
		w.startProxies()
		w.eventually("the proxy answers again", func() (bool, string) {
			code, _, err := anonymous(edge, "/")
			if err == nil && code != http.StatusUnauthorized {
				t.Fatalf("the first answer is %d, want 401", code)
			}
			return err == nil, fmt.Sprint(err)
		})
		guards()
		w.plugin("auth", "the last good one is in force", inForce)
	})
	if seen := u.era("").Counts(); seen.Unmarked != 0 || seen.Passed == 0 {
		t.Errorf("the backend saw %s", seen)
	}
}
