package standalone_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// TestAControllerRestartIsNotFelt stops and starts wasmpoint under load while its proxies go on: nothing fails, no request
// goes past the auth plugin, and the proxies are sent nothing that they have.
func TestAControllerRestartIsNotFelt(t *testing.T) {
	registry := registrytest.Start(t)
	registry.Push("auth", "v1", registrytest.PluginImage(wasmtest.BasicAuth(t)))
	url := "oci://" + registry.Host + "/auth:v1"
	web, atEdge := backend(t, "web", "", "http")
	reviews, atWaypoint := backend(t, "reviews", inMesh, "http")
	w := prepare(t, map[string]string{
		"web.yaml": web, "reviews.yaml": reviews, "edge.yaml": ingress, "waypoint.yaml": waypoint,
		"auth-edge.yaml": authManifest("auth-edge", url, "Gateway", "edge", "first"),
		"auth-web.yaml":  authManifest("auth-web", url, "Service", "reviews", "first"),
	})
	w.ownProxies()
	w.run()
	w.startProxies()
	marker := w.module("marker.wasm", "1")
	w.write("edge-plugin.yaml", pluginManifest("at-edge", marker, "Gateway", "edge", "{name: a}", ""))
	edge, service := w.gateway("edge"), w.service("reviews", 9080)
	w.answers(edge, "/", 200, "a")
	w.answers(service, "/", 200, "")
	w.plugin("auth-edge", "programmed", programmed)
	w.plugin("auth-web", "programmed", programmed)
	loads := []*traffic{drive(t, edge), drive(t, service)}
	for _, l := range loads {
		l.enter(guarded)
	}

	restart := func(what string, meanwhile func()) {
		t.Helper()
		w.stop()
		meanwhile()
		w.stays(edge, "/", 200, "a", 50)
		w.stays(service, "/", 200, "", 50)
		begin := time.Now()
		w.run()
		for _, p := range []string{"auth-edge", "auth-web", "at-edge"} {
			w.plugin(p, "programmed again", programmed)
		}
		t.Logf("%s: everything programmed again %s after the start", what, time.Since(begin).Round(time.Millisecond))
	}

	before := w.reloads()
	restart("plain", func() {})
	if after := w.reloads(); after != before {
		t.Errorf("a plain restart reloaded slots: %s before, %s after", before, after)
	}
	w.write("edge-plugin.yaml", pluginManifest("at-edge", marker, "Gateway", "edge", "{name: b}", ""))
	w.answers(edge, "/", 200, "b")
	w.write("edge-plugin.yaml", pluginManifest("at-edge", marker, "Gateway", "edge", "{name: a}", ""))
	w.answers(edge, "/", 200, "a")

	registry.Kill()
	before = w.reloads()
	restart("registry dead, cache warm", func() {})
	if after := w.reloads(); after != before {
		t.Errorf("a restart without the registry reloaded slots: %s before, %s after", before, after)
	}

	restart("registry dead, manifests changed", func() {
		w.write("auth-edge.yaml", authManifest("auth-edge", url, "Gateway", "edge", "second"))
		w.write("service-plugin.yaml", pluginManifest("at-service", marker, "Service", "reviews", "{name: s}", ""))
	})
	w.answers(service, "/", 200, "s")
	w.eventually("the changed realm", func() (bool, string) {
		_, h, err := anonymous(edge, "/")
		got := h.Get("www-authenticate")
		return strings.Contains(got, "second"), fmt.Sprint(got, err)
	})
	loads[0].flawless("gateway", atEdge)
	loads[1].flawless("waypoint", atWaypoint)
}

// startProxies runs an Envoy for each Gateway, as controllers/standalone does, but in the test's own hands.
func (w *world) startProxies() map[string]*testbed.Envoy {
	w.t.Helper()
	out := map[string]*testbed.Envoy{}
	for _, g := range w.snapshot().Gateways {
		config, err := bootstrap.JSON(bootstrap.Config{
			ID: g.Namespace + "_" + g.Name, Gateway: types.NamespacedName{Namespace: g.Namespace, Name: g.Name},
			XDS: w.options.XDSAddr, Modules: w.options.ModulesAddr, Admin: net.JoinHostPort(g.Address, strconv.Itoa(envoyAdmin)),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		out[g.Name] = testbed.StartEnvoy(w.t, config)
	}
	return out
}

// ownProxies leaves the proxies to the test, so that they outlive a wasmpoint.
func (w *world) ownProxies() {
	w.options.NoProxies = true
	w.options.XDSAddr, w.options.ModulesAddr = testbed.Address(testbed.FreePort(w.t)), testbed.Address(testbed.FreePort(w.t))
}

// envoyAdmin is the port of each Envoy's own admin endpoint, on the Gateway's address.
const envoyAdmin = 15000

// reloads tells how often the proxies changed a slot or a listener so far. The prefetch lane, which takes no traffic, is
// left out: it is emptied when a stream begins.
func (w *world) reloads() string {
	w.t.Helper()
	var out []string
	for _, g := range w.snapshot().Gateways {
		resp, err := http.Get("http://" + net.JoinHostPort(g.Address, strconv.Itoa(envoyAdmin)) + "/stats?filter=config_reload$|update_rejected$|listener_(added|modified|removed)$")
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		sum := map[string]int{}
		for _, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
			name, value, _ := strings.Cut(line, ": ")
			if strings.Contains(name, "prefetch") {
				continue
			}
			n, err := strconv.Atoi(value)
			if err != nil {
				w.t.Fatalf("statistic %q: %v", line, err)
			}
			sum[name[strings.LastIndex(name, ".")+1:]] += n
		}
		out = append(out, fmt.Sprint(g.Name, sum))
	}
	return strings.Join(out, " ")
}
