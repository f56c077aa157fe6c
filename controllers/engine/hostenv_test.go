package engine

import (
	"strings"
	"testing"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
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

func (w *world) refusedBy(want string) {
	w.t.Helper()
	m := w.plugins[model.Key{Kind: string(store.KindWasmPlugin), Namespace: "default", Name: "p"}].module
	if m.Reason != extv1.ReasonHostEnvNotAllowed || !strings.Contains(m.Err, want) {
		w.t.Errorf("the module's state is %s: %s; want %s", m.Reason, m.Err, want)
	}
}

func TestAPluginReadsOnlyTheVariablesOfProxiesThatAreAllowed(t *testing.T) {
	w := newWorld(t)
	w.opts.HostEnv = []string{"POD_NAME", "APP_*"}
	w.modules.states[one], w.modules.states[two] = readyState("d1"), readyState("d2")
	w.apply(ingress("gw"), reading(1, "POD_NAME", "APP_COLOUR"))
	w.wantEntry("allowed", false, "d1")
	w.runs()
	edit := reading(2, "POD_NAME", "AWS_SECRET_ACCESS_KEY")
	edit.Wasm.URL = two
	w.apply(edit)
	w.wantEntry("the form before goes on", false, "d1")
	w.refusedBy(`spec.vmConfig.env[1].name: plugins may not read the variable "AWS_SECRET_ACCESS_KEY" of proxies (allowed: POD_NAME, APP_*)`)
}

func TestAnotherListOfVariablesOpensNoGateway(t *testing.T) {
	w := newWorld(t)
	w.opts.HostEnv = []string{"*"}
	w.modules.states[one] = readyState("d1")
	w.apply(ingress("gw"), reading(1, "TOKEN"))
	w.runs()

	again := newWorldWith(t, w.modules, w.good, fakeNetwork{})
	again.apply(ingress("gw"), reading(1, "TOKEN"))
	again.wantEntry("nothing that may run is left, and nothing is waited for: the fail strategy acts", false)
	again.refusedBy("(none may be read)")
}
