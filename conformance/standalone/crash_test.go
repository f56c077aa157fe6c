package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAKilledProxyComesBackWithItsPlugins: its first answer is already one of the auth plugin.
func TestAKilledProxyComesBackWithItsPlugins(t *testing.T) {
	web, atEdge := backend(t, "web", "", "http")
	reviews, atWaypoint := backend(t, "reviews", inMesh, "http")
	w := start(t, map[string]string{"web.yaml": web, "reviews.yaml": reviews, "edge.yaml": ingress, "waypoint.yaml": waypoint})
	edge, service := w.gateway("edge"), w.service("reviews", 9080)
	w.answers(edge, "/", 200, "")
	w.answers(service, "/", 200, "")
	url, marker := w.authModule(), w.module("marker.wasm", "1")
	w.write("edge-auth.yaml", authManifest("auth-edge", url, "Gateway", "edge", "r"))
	w.write("service-auth.yaml", authManifest("auth-web", url, "Service", "reviews", "r"))
	w.write("marker.yaml", pluginManifest("marker", marker, "Gateway", "edge", "{name: m}", ""))
	for _, p := range []string{"auth-edge", "auth-web", "marker"} {
		w.plugin(p, "programmed", programmed)
	}
	for _, c := range []struct {
		gateway, addr, plugins string
		backend                *upstream
	}{{"edge", edge, "m", atEdge}, {"waypoint", service, "", atWaypoint}} {
		t.Run(c.gateway, func(t *testing.T) {
			w.answers(c.addr, "/", 200, c.plugins)
			before := c.backend.era("").Counts()
			old := w.killProxy(c.gateway, syscall.SIGKILL)
			begin := time.Now()
			answered := 0
			w.eventually("the proxy answers again", func() (bool, string) {
				code, _, err := anonymous(c.addr, "/")
				switch {
				case err != nil:
					return false, err.Error()
				case code != http.StatusUnauthorized:
					t.Fatalf("answer %d is %d, want 401", answered+1, code)
				case answered == 0:
					t.Logf("first answer %s after the kill", time.Since(begin).Round(time.Millisecond))
				}
				answered++
				return answered == 100, fmt.Sprint(answered, " answers")
			})
			w.answers(c.addr, "/", 200, c.plugins)
			if seen := c.backend.era("").Counts().Sub(before); seen.Unmarked != 0 {
				t.Errorf("the backend saw %s", seen)
			}
			if now := w.pid(c.gateway); now == old || now == 0 {
				t.Errorf("process %d before, %d now", old, now)
			}
		})
	}
	for _, p := range []string{"auth-edge", "auth-web", "marker"} {
		w.plugin(p, "programmed", programmed)
	}
}

// pid is the process of a Gateway's proxy, 0 while there is none.
func (w *world) pid(gateway string) int {
	w.t.Helper()
	for _, p := range w.snapshot().Proxies {
		if strings.HasSuffix(p.Gateway, "/"+gateway) {
			return p.PID
		}
	}
	return 0
}

// killProxy ends a proxy that wasmpoint runs, without a word to it.
func (w *world) killProxy(gateway string, signal syscall.Signal) (pid int) {
	w.t.Helper()
	if pid = w.pid(gateway); pid <= 0 {
		w.t.Fatalf("no proxy of %s", gateway)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		w.t.Fatal(err)
	}
	return pid
}
