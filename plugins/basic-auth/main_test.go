package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const config = `{"basic_auth_rules":[{"prefix":"/productpage","request_methods":["GET"],"credentials":["ok:test"]}]}`

func start(t *testing.T, config string) (proxytest.HostEmulator, types.OnPluginStartStatus) {
	t.Helper()
	host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().
		WithPluginConfiguration([]byte(config)).
		WithPluginContext(func(uint32) types.PluginContext { return &plugin{} }))
	t.Cleanup(reset)
	return host, host.StartPlugin()
}

func headers(path string, more ...[2]string) [][2]string {
	return append([][2]string{{":method", "GET"}, {":path", path}, {":authority", "productpage:9080"}}, more...)
}

func marks(all [][2]string) (out []string) {
	for _, h := range all {
		if h[0] == markHeader {
			out = append(out, h[1])
		}
	}
	return out
}

func TestARequestWithoutCredentialsIsAnswered401(t *testing.T) {
	host, _ := start(t, config)
	id := host.InitializeHttpContext()
	if action := host.CallOnRequestHeaders(id, headers("/productpage"), true); action != types.ActionPause {
		t.Errorf("action %v, want pause", action)
	}
	answer := host.GetSentLocalResponse(id)
	if answer == nil || answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("answer %+v, want 401", answer)
	}
	if got := answer.Headers[0]; got != [2]string{"www-authenticate", `Basic realm="istio"`} {
		t.Errorf("first header %v", got)
	}
}

func TestWrongCredentialsAreAnswered401(t *testing.T) {
	host, _ := start(t, config)
	id := host.InitializeHttpContext()
	host.CallOnRequestHeaders(id, headers("/productpage", [2]string{"authorization", "Basic b2s6bm8="}), true)
	if answer := host.GetSentLocalResponse(id); answer == nil || answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("answer %+v, want 401", answer)
	}
}

func TestPassedRequestsAreMarkedAndForgedMarksOverwritten(t *testing.T) {
	for _, c := range []struct {
		name, path, want string
		more             [][2]string
	}{
		{"with credentials", "/productpage", markPassed, [][2]string{{"authorization", "Basic b2s6dGVzdA=="}}},
		{"covered by no rule", "/static", markNotRequired, nil},
		{"covered by no rule, with a forged mark", "/static", markNotRequired, [][2]string{{markHeader, markPassed}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, _ := start(t, config)
			id := host.InitializeHttpContext()
			if action := host.CallOnRequestHeaders(id, headers(c.path, c.more...), true); action != types.ActionContinue {
				t.Errorf("action %v, want continue", action)
			}
			if got := marks(host.GetCurrentRequestHeaders(id)); len(got) != 1 || got[0] != c.want {
				t.Errorf("marks %q, want %q alone", got, c.want)
			}
		})
	}
}

func TestABadConfigurationFailsThePluginStartWithALogLine(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"nothing", "", "basic-auth: configuration refused: there is no configuration"},
		{"an empty rule", `{"basic_auth_rules":[{}]}`, "basic-auth: configuration refused: basic_auth_rules[0]: has 0 of prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, status := start(t, c.config)
			if status != types.OnPluginStartStatusFailed {
				t.Error("started")
			}
			if logs := strings.Join(host.GetCriticalLogs(), "\n"); !strings.Contains(logs, c.want) {
				t.Errorf("logs %q, want %q", logs, c.want)
			}
		})
	}
}
