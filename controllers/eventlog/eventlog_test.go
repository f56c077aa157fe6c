package eventlog

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func plugin(m status.ModuleRow, targets ...status.TargetRow) status.PluginRow {
	return status.PluginRow{Kind: "WasmPlugin", Namespace: "default", Name: "basic-auth", Generation: 1,
		Accepted: true, Reason: ext.ReasonAccepted, Module: m, Targets: targets}
}

func target(reason, message string, running, total int) status.TargetRow {
	return status.TargetRow{Kind: "Gateway", Namespace: "default", Name: "gw", Accepted: true, Reason: ext.ReasonAccepted,
		Programmed: reason == ext.ReasonProgrammed, ProgrammedReason: reason, ProgrammedMessage: message, Running: running, Total: total}
}

var (
	here    = status.ModuleRow{URL: "oci://r/a:1", Digest: "sha256:abc", Ready: true, Reason: ext.ReasonResolvedRefs}
	runs    = target(ext.ReasonProgrammed, "1/1 proxies run it", 1, 1)
	waits   = target(ext.ReasonModuleMissing, "0/1 proxies run it", 0, 1)
	refused = target(ext.ReasonRefused, "0/1 proxies run it; refused by p1: Unable to create Wasm plugin a", 0, 1)
)

func failed(text string, attempts int) status.ModuleRow {
	return status.ModuleRow{URL: "oci://r/a:1", Reason: ext.ReasonFetchFailed, Error: text, Attempts: attempts}
}

func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		mark := "- "
		if l.Level == slog.LevelWarn {
			mark = "! "
		}
		b.WriteString(mark + l.Text + "\n")
	}
	return b.String()
}

func TestEachChangeOfAPluginIsOneLine(t *testing.T) {
	none := status.PluginRow{}
	generation2 := plugin(here, runs)
	generation2.Generation = 2
	notFound := plugin(here, status.TargetRow{Kind: "Gateway", Namespace: "default", Name: "gw",
		Reason: ext.ReasonTargetNotFound, Message: "Gateway default/gw does not exist"})
	nowhere := plugin(here)
	nowhere.Accepted, nowhere.Reason, nowhere.Message = false, ext.ReasonNoGatewayInReach, "namespace default has no Gateway"
	cases := []struct {
		name       string
		prev, next status.PluginRow
		want       string
	}{
		{"a new plugin whose module is under way", none, plugin(status.ModuleRow{URL: "oci://r/a:1", Reason: ext.ReasonFetching}, waits),
			"- wasmplugin default/basic-auth: fetching oci://r/a:1\n" +
				"- wasmplugin default/basic-auth: Gateway default/gw: waits for its module; 0/1 proxies run it\n"},
		{"a plugin that runs at once", none, plugin(here, runs),
			"- wasmplugin default/basic-auth: module sha256:abc is here (oci://r/a:1)\n" +
				"- wasmplugin default/basic-auth: Gateway default/gw: programmed on 1/1 proxies\n"},
		{"nothing new", plugin(here, runs), plugin(here, runs), ""},
		{"only counts changed", plugin(here, target(ext.ReasonReconciling, "1/3 proxies run it", 1, 3)),
			plugin(here, target(ext.ReasonReconciling, "2/3 proxies run it", 2, 3)), ""},
		{"a new configuration that runs", plugin(here, runs), generation2,
			"- wasmplugin default/basic-auth: Gateway default/gw: programmed on 1/1 proxies\n"},
		{"a refusal", plugin(here, runs), plugin(here, refused),
			"! wasmplugin default/basic-auth: Gateway default/gw: 0/1 proxies run it; refused by p1: Unable to create Wasm plugin a\n"},
		{"a failed fetch", plugin(here, runs), plugin(failed("connection refused", 1), runs),
			"! wasmplugin default/basic-auth: FetchFailed: oci://r/a:1: connection refused\n"},
		{"another attempt with the same error", plugin(failed("connection refused", 1), waits), plugin(failed("connection refused", 2), waits), ""},
		{"a target that is gone", plugin(here, runs), notFound,
			"! wasmplugin default/basic-auth: not accepted: TargetNotFound: Gateway default/gw does not exist\n"},
		{"another target", plugin(here, runs), plugin(here), "- wasmplugin default/basic-auth: Gateway default/gw: no longer a target\n"},
		{"a plugin that applies nowhere", none, nowhere,
			"- wasmplugin default/basic-auth: module sha256:abc is here (oci://r/a:1)\n" +
				"! wasmplugin default/basic-auth: applies nowhere: NoGatewayInReach: namespace default has no Gateway\n"},
		{"a deleted plugin", plugin(here, runs), none, "- wasmplugin default/basic-auth: deleted\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var prev, next status.Snapshot
			if c.prev.Name != "" {
				prev.Plugins = append(prev.Plugins, c.prev)
			}
			if c.next.Name != "" {
				next.Plugins = append(next.Plugins, c.next)
			}
			if got := text(Diff(prev, next)); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestProxiesAndTheirRefusals(t *testing.T) {
	p := status.ProxyRow{Gateway: "default/gw", ID: "p1", Connected: t0, EnvoyVersion: "1.40.0"}
	snap := func(rows ...status.ProxyRow) status.Snapshot { return status.Snapshot{Proxies: rows} }
	nacked := p
	nacked.LastNACK, nacked.LastNACKTime = "Unable to create\nWasm plugin a", t0
	again := p
	again.Connected = t0.Add(time.Second)
	lost := p
	lost.Connected = time.Time{}
	blamed := snap(nacked)
	blamed.Plugins = []status.PluginRow{plugin(here, refused)}
	before := snap(p)
	before.Plugins = blamed.Plugins
	cases := []struct {
		name       string
		prev, next status.Snapshot
		want       string
	}{
		{"connected", snap(), snap(p), "- proxy of default/gw (p1): connected, Envoy 1.40.0\n"},
		{"connected again", snap(p), snap(again), "- proxy of default/gw (p1): connected again, Envoy 1.40.0\n"},
		{"disconnected but kept", snap(p), snap(lost), "! proxy of default/gw (p1): disconnected\n"},
		{"gone", snap(p), snap(), "- proxy of default/gw (p1): disconnected\n"},
		{"a refusal of something else than a plugin", snap(p), snap(nacked), "! proxy of default/gw (p1): refused: Unable to create Wasm plugin a\n"},
		{"an old refusal", snap(nacked), snap(nacked), ""},
		{"a refusal that stands in a plugin's line", before, blamed, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := text(Diff(c.prev, c.next)); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestGatewaysAndServices(t *testing.T) {
	gw := status.GatewayRow{Namespace: "default", Name: "gw", Address: "127.64.0.9", Ports: []int32{8080, 8443}}
	programmed := gw
	programmed.Programmed = true
	wrong := gw
	wrong.Message = "listener x: no such secret"
	service := status.ServiceRow{Kind: "Service", Namespace: "default", Name: "reviews", Address: "127.64.0.3"}
	bound := service
	bound.Waypoint = "default/w"
	gateways := func(rows ...status.GatewayRow) status.Snapshot { return status.Snapshot{Gateways: rows} }
	services := func(rows ...status.ServiceRow) status.Snapshot { return status.Snapshot{Services: rows} }
	cases := []struct {
		name       string
		prev, next status.Snapshot
		want       string
	}{
		{"a new gateway", gateways(), gateways(gw), "- gateway default/gw: at 127.64.0.9 port 8080, 8443\n"},
		{"a gateway that serves", gateways(gw), gateways(programmed), "- gateway default/gw: programmed at 127.64.0.9 port 8080, 8443\n"},
		{"a gateway that serves no more", gateways(programmed), gateways(gw), "! gateway default/gw: not programmed any more\n"},
		{"a gateway with a problem", gateways(gw), gateways(wrong), "- gateway default/gw: not programmed: listener x: no such secret\n"},
		{"a gateway that fails", gateways(programmed), gateways(wrong), "! gateway default/gw: not programmed any more: listener x: no such secret\n"},
		{"a deleted gateway", gateways(gw), gateways(), "- gateway default/gw: deleted\n"},
		{"a service without waypoint is no news", services(), services(service), ""},
		{"a service that gets a waypoint", services(service), services(bound), "- service default/reviews: uses waypoint default/w at 127.64.0.3\n"},
		{"a service that loses it", services(bound), services(service), "- service default/reviews: uses no waypoint any more\n"},
		{"a deleted service", services(bound), services(), "- service default/reviews: deleted\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := text(Diff(c.prev, c.next)); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
	var many []status.ServiceRow
	for i := range 25 {
		s := bound
		s.Name = fmt.Sprintf("s%d", i)
		many = append(many, s)
	}
	lines := Diff(status.Snapshot{}, services(many...))
	if len(lines) != 11 || lines[10].Text != "and 15 more services changed" {
		t.Errorf("got %d lines, last %q", len(lines), lines[len(lines)-1].Text)
	}
}
