package engine

import (
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// reading makes the plugin p, which reads variables of proxies.
func reading(generation int64, env ...string) *model.Plugin {
	p := plugin("p", one, generation, target)
	for _, name := range env {
		p.Wasm.Env = append(p.Wasm.Env, model.EnvVar{Name: name, FromHost: true})
	}
	return p
}

func TestAPluginReadsOnlyTheVariablesOfProxiesThatAreAllowed(t *testing.T) {
	w := newWorld(t)
	w.opts.HostEnv = []string{"POD_NAME", "APP_*"}
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), reading(1, "POD_NAME", "APP_COLOUR"))
	w.wantEntry("allowed", false, "d1")
	w.runs()
	w.apply(reading(2, "POD_NAME", "AWS_SECRET_ACCESS_KEY"))
	s := w.plugins[model.Key{Kind: string(store.KindWasmPlugin), Namespace: "default", Name: "p"}]
	if s.plugin.Superseded == nil || !strings.Contains(s.plugin.Superseded.Invalid, `spec.vmConfig.env[1].name: plugins may not read the variable "AWS_SECRET_ACCESS_KEY" of proxies (allowed: POD_NAME, APP_*)`) {
		t.Errorf("the plugin is %+v", s.plugin)
	}
	if env := s.plugin.Wasm.Env; len(env) != 2 || env[1].Name != "APP_COLOUR" {
		t.Errorf("in force is %v", env)
	}
}

func TestALastGoodFormThatReadsWhatIsNotAllowedAnyMoreDoesNotComeBack(t *testing.T) {
	w := newWorld(t)
	w.opts.HostEnv = []string{"*"}
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), reading(1, "TOKEN"))
	w.runs()

	again := newWorldWith(t, w.modules, w.good, fakeNetwork{})
	again.apply(ingress("gw"), reading(1, "TOKEN"))
	s := again.plugins[model.Key{Kind: string(store.KindWasmPlugin), Namespace: "default", Name: "p"}]
	if s == nil || s.plugin.Superseded != nil || !strings.Contains(s.plugin.Invalid, "(none may be read)") {
		t.Errorf("the plugin is %+v", s)
	}
}
