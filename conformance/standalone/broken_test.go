package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// noABI is a module that is well-formed and exports nothing: no proxy-wasm plugin.
var noABI = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// breakage is one way to break a running plugin. Each has a plugin of its own on one Gateway, so that they also show that
// one broken plugin leaves the others alone.
type breakage struct {
	name string
	// bad and heal give the file's next module URL and configuration; the same URL may have another content then.
	bad, heal func() (url, config string)
	// resolved and programmed are the reasons that stand in status; text is part of the error.
	resolved, programmed, text string
}

func TestABrokenPluginLeavesTheLastGoodOneInForce(t *testing.T) {
	registry := registrytest.Start(t)
	var down atomic.Bool
	registry.Hook(func(rw http.ResponseWriter, _ *http.Request) bool {
		if down.Load() {
			http.Error(rw, "out of order", http.StatusServiceUnavailable)
		}
		return down.Load()
	})
	push := func(tag string) string {
		registry.Push("marker", tag, registrytest.PluginImage(wasmtest.Unique(wasmtest.Marker(t), tag)))
		return "oci://" + registry.Host + "/marker:" + tag
	}
	dead := registrytest.Start(t)
	dead.Kill()
	web, _ := backend(t, "web", "", "http")
	w := start(t, map[string]string{"web.yaml": web, "edge.yaml": ingress})
	edge, good := w.gateway("edge"), w.module("good.wasm", "good")
	config := func(name, version string, more string) string {
		return fmt.Sprintf("{name: %s.%s%s}", name, version, more)
	}
	file := func(name string, content []byte) string {
		w.write(name, string(content))
		return "file://./" + name
	}
	cases := []breakage{
		{
			name:     "no-abi",
			bad:      func() (string, string) { return file("noabi.wasm", noABI), config("no-abi", "v2", "") },
			heal:     func() (string, string) { return good, config("no-abi", "v3", "") },
			resolved: "InvalidModule", programmed: "ModuleMissing", text: "proxy_abi_version",
		},
		{
			name:     "refuses",
			bad:      func() (string, string) { return good, config("refuses", "v2", ", refuse: true") },
			heal:     func() (string, string) { return good, config("refuses", "v3", "") },
			resolved: "ResolvedRefs", programmed: "Refused", text: "Unable to create Wasm plugin",
		},
		{
			name:     "unlinkable",
			bad:      func() (string, string) { return file("u.wasm", wasmtest.Unlinkable(t)), config("unlinkable", "v2", "") },
			heal:     func() (string, string) { return good, config("unlinkable", "v3", "") },
			resolved: "ResolvedRefs", programmed: "Refused", text: "Unable to create Wasm plugin",
		},
		{
			name:     "unreachable",
			bad:      func() (string, string) { return "oci://" + dead.Host + "/x:v2", config("unreachable", "v2", "") },
			heal:     func() (string, string) { return good, config("unreachable", "v3", "") },
			resolved: "FetchFailed", programmed: "ModuleMissing", text: "connection refused",
		},
		{
			name: "registry",
			bad: func() (string, string) {
				url := push("v2")
				down.Store(true)
				return url, config("registry", "v2", "")
			},
			heal:     func() (string, string) { down.Store(false); return push("v2"), config("registry", "v2", "") },
			resolved: "FetchFailed", programmed: "ModuleMissing", text: "503",
		},
		{
			name:     "garbage",
			bad:      func() (string, string) { return file("garbage.wasm", []byte("garbage")), config("garbage", "v2", "") },
			heal:     func() (string, string) { return w.module("garbage.wasm", "garbage"), config("garbage", "v2", "") },
			resolved: "InvalidModule", programmed: "ModuleMissing", text: "garbage.wasm",
		},
	}
	write := func(c breakage, priority int, url, config string) {
		w.write(c.name+".yaml", pluginManifest(c.name, url, "Gateway", "edge", config, fmt.Sprint("  priority: ", priority)))
	}
	var chain []string
	for i, c := range cases {
		url := good
		if c.name == "registry" {
			url = push("v1")
		}
		write(c, 100-i, url, config(c.name, "v1", ""))
		chain = append(chain, c.name+".v1")
	}
	all := func() string { return strings.Join(chain, ",") }
	w.answers(edge, "/", 200, all())

	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.plugin(c.name, "programmed before", programmed)
			url, config := c.bad()
			begin := time.Now()
			write(c, 100-i, url, config)
			row := w.plugin(c.name, "the reason stands in status", func(p status.PluginRow) bool {
				return p.Module.Reason == c.resolved && p.ProgrammedReason == c.programmed && strings.Contains(p.LastError, c.text)
			})
			t.Logf("in status after %s: %s", time.Since(begin).Round(time.Millisecond), row.LastError)
			w.plugin(c.name, "the last good one is said to be in force", func(p status.PluginRow) bool {
				return strings.Contains(p.Targets[0].ProgrammedMessage, "last good configuration")
			})
			w.stays(edge, "/", 200, all(), 20)
		})
	}
	begin := time.Now()
	for i, c := range cases {
		url, config := c.heal()
		write(c, 100-i, url, config) // where only the source healed, nothing changes
		chain[i] = strings.Trim(strings.TrimPrefix(config, "{name: "), "}")
	}
	for _, c := range cases {
		t.Run(c.name+" heals", func(t *testing.T) {
			row := w.plugin(c.name, "programmed", programmed)
			t.Logf("healed after %s, or before", time.Since(begin).Round(time.Millisecond))
			if row.LastError != "" {
				t.Errorf("the error stays in status: %s", row.LastError)
			}
		})
	}
	w.answers(edge, "/", 200, all())
}
