package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// TestServicesUseTheWaypointOfTheirLabel: several Services, two waypoints, plugins for one Service and for one waypoint.
func TestServicesUseTheWaypointOfTheirLabel(t *testing.T) {
	const second = "istio.io/use-waypoint: second"
	files := map[string]string{
		"waypoint.yaml": waypoint,
		"second.yaml":   strings.Replace(waypoint, "name: waypoint", "name: second", 1),
	}
	at := map[string]func(labels string) string{}
	for name, labels := range map[string]string{"a": inMesh, "b": inMesh, "c": second, "d": ""} {
		_, u := backend(t, name, "", "http")
		at[name] = func(labels string) string { return serviceManifest(name, labels, "http", u.port) }
		files[name+".yaml"] = at[name](labels)
	}
	w := start(t, files)
	module, auth := w.module("marker.wasm", "1"), w.authModule()
	addr := map[string]string{}
	for name := range at {
		addr[name] = w.service(name, 9080)
	}
	w.write("for-a.yaml", pluginManifest("for-a", module, "Service", "a", "{name: for-a}", "  priority: 1"))
	w.write("for-a-auth.yaml", authManifest("for-a-auth", auth, "Service", "a", "r"))
	w.write("first-all.yaml", pluginManifest("first-all", module, "Gateway", "waypoint", "{name: first}", ""))
	w.write("second-all.yaml", pluginManifest("second-all", module, "Gateway", "second", "{name: second}", ""))
	shows := func(want map[string]string) {
		t.Helper()
		for _, name := range []string{"a", "b", "c"} {
			w.answers(addr[name], "/", 200, want[name])
			if _, h, err := get(addr[name], "/"); err != nil || h.Get("x-backend") != name {
				t.Errorf("%s is answered by %q, %v", name, h.Get("x-backend"), err)
			}
		}
	}
	shows(map[string]string{"a": "for-a,first", "b": "first", "c": "second"})
	if _, _, err := get(addr["d"], "/"); err == nil {
		t.Error("a Service without a waypoint is served")
	}
	for _, p := range []string{"for-a", "for-a-auth", "first-all", "second-all"} {
		w.plugin(p, "programmed", programmed)
	}

	t.Run("a Service moves to the other waypoint with its plugins", func(t *testing.T) {
		begin := time.Now()
		w.write("a.yaml", at["a"](second))
		w.neverOpen(addr["a"], "for-a,second")
		t.Logf("moved after %s", time.Since(begin).Round(time.Millisecond))
		shows(map[string]string{"a": "for-a,second", "b": "first", "c": "second"})
		if got := w.waypointOf("a"); got != "default/second" {
			t.Errorf("the snapshot says that a uses %s", got)
		}
		w.plugin("for-a", "programmed", programmed)
		w.plugin("for-a-auth", "programmed", programmed)
	})
	t.Run("and back", func(t *testing.T) {
		w.write("a.yaml", at["a"](inMesh))
		w.neverOpen(addr["a"], "for-a,first")
		shows(map[string]string{"a": "for-a,first", "b": "first", "c": "second"})
	})
	t.Run("a Service without a label leaves its waypoint", func(t *testing.T) {
		w.write("b.yaml", at["b"](""))
		w.eventually("b is not served", func() (bool, string) {
			_, _, err := testbed.Get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+addr["b"]+"/")
			return err != nil, "it answers"
		})
		w.answers(addr["a"], "/", 200, "for-a,first")
		w.answers(addr["c"], "/", 200, "second")
		if got := w.waypointOf("b"); got != "" {
			t.Errorf("the snapshot says that b uses %s", got)
		}
	})
}

// neverOpen waits for a request that these plugins saw. Until then no request without credentials may be let through;
// every one uses a connection of its own.
func (w *world) neverOpen(addr, plugins string) {
	w.t.Helper()
	fresh := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	refused, asked := 0, 0
	w.eventually("the plugins "+plugins, func() (bool, string) {
		asked++
		if code, _, err := testbed.Get(fresh, "http://"+addr+"/"); err != nil {
			refused++
		} else if code != http.StatusUnauthorized {
			w.t.Fatalf("status %d without credentials", code)
		}
		_, h, err := testbed.Get(fresh, "http://"+addr+"/", "Authorization", credentials)
		return h.Get("x-saw") == plugins, fmt.Sprint(h.Get("x-saw"), err)
	})
	w.t.Logf("%d of %d requests found no listener meanwhile", refused, asked)
}

func (w *world) waypointOf(service string) string {
	w.t.Helper()
	for _, s := range w.snapshot().Services {
		if s.Name == service {
			return s.Waypoint
		}
	}
	w.t.Fatalf("no service %s", service)
	return ""
}
