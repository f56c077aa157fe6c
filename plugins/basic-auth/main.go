// Command basic-auth is a proxy-wasm plugin that asks for HTTP Basic credentials where its configuration says so. README.md
// has the configuration and how to build it.
package main

import (
	"errors"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/wasmpoint/wasmpoint/plugins/basic-auth/rules"
)

// markHeader tells the backend that this plugin saw the request, and what it decided. What a client sent under that name
// is overwritten, so the header cannot be forged past the plugin.
const markHeader = "x-wasmpoint-basic-auth"

// Values of markHeader.
const (
	markPassed      = "passed"
	markNotRequired = "not-required"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

// plugin is one configured instance; several may share a VM.
type plugin struct {
	types.DefaultPluginContext
	rules *rules.Rules
}

// OnPluginStart refuses a configuration that does not parse: the proxy then rejects the update and keeps what it has.
func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	data, err := proxywasm.GetPluginConfiguration()
	if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogCriticalf("basic-auth: cannot read the configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	parsed, err := rules.Parse(data)
	if err != nil {
		proxywasm.LogCriticalf("basic-auth: configuration refused: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.rules = parsed
	return types.OnPluginStartStatusOK
}

// NewHttpContext has the SDK's spelling.
//
//nolint:staticcheck // ST1003: the name is the interface's
func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &request{rules: p.rules} }

type request struct {
	types.DefaultHttpContext
	rules *rules.Rules
}

// OnHttpRequestHeaders decides, and answers or marks the request.
//
//nolint:staticcheck // ST1003: the name is the interface's
func (r *request) OnHttpRequestHeaders(int, bool) types.Action {
	mark := markPassed
	switch r.rules.Decide(rules.Request{
		Method:        header(":method"),
		Authority:     header(":authority"),
		Path:          header(":path"),
		Authorization: header("authorization"),
	}) {
	case rules.NoCredentials:
		return r.deny("Basic authentication is required here, and the request has no Basic credentials.\n")
	case rules.WrongCredentials:
		return r.deny("Basic authentication failed: wrong user or password.\n")
	case rules.NotRequired:
		mark = markNotRequired
	}
	if err := proxywasm.ReplaceHttpRequestHeader(markHeader, mark); err != nil {
		// Unmarked it may not go on: the backend would take it for a request that went past the plugin.
		proxywasm.LogErrorf("basic-auth: cannot set %s: %v", markHeader, err)
		return r.answer(500, "The basic-auth plugin failed.\n", nil)
	}
	return types.ActionContinue
}

func (r *request) deny(body string) types.Action {
	return r.answer(401, body, [][2]string{{"www-authenticate", r.rules.Challenge()}, {"content-type", "text/plain"}})
}

func (r *request) answer(code uint32, body string, headers [][2]string) types.Action {
	if err := proxywasm.SendHttpResponse(code, headers, []byte(body), -1); err != nil {
		proxywasm.LogErrorf("basic-auth: cannot answer %d: %v", code, err)
	}
	return types.ActionPause
}

// header is a request header's value, empty if there is none. Repeated headers arrive joined by commas, which no
// credential matches.
func header(name string) string {
	value, err := proxywasm.GetHttpRequestHeader(name)
	if err != nil {
		return ""
	}
	return value
}
