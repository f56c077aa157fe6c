package engine

import (
	"fmt"
	"slices"
	"strings"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/modules"
)

// hostEnvRefused says why a plugin may not run if it reads a variable of proxies that Options.HostEnv does not allow, else nil. Its
// last good configuration that reads none goes on, or its fail strategy acts: another list of variables must not open a gateway.
func (e *Engine) hostEnvRefused(p *model.Plugin) *modules.State {
	at := e.forbidden(p.Wasm.Env)
	if at < 0 {
		return nil
	}
	field, allowed := "spec.vmConfig.env", "none may be read"
	if p.Kind == string(store.KindTrafficExtension) {
		field = "spec.wasm.vmConfig.env"
	}
	if len(e.opts.HostEnv) > 0 {
		allowed = "allowed: " + strings.Join(e.opts.HostEnv, ", ")
	}
	return &modules.State{
		Reason: extv1.ReasonHostEnvNotAllowed,
		Err: fmt.Sprintf("%s[%d].name: plugins may not read the variable %q of proxies (%s); give a value, or have it added to hostEnv in the controller's configuration",
			field, at, p.Wasm.Env[at].Name, allowed),
	}
}

// forbidden is the index of the first variable that may not be read, or -1.
func (e *Engine) forbidden(env []model.EnvVar) int {
	return slices.IndexFunc(env, func(v model.EnvVar) bool { return v.FromHost && !e.mayRead(v.Name) })
}

func (e *Engine) mayRead(name string) bool {
	return slices.ContainsFunc(e.opts.HostEnv, func(allowed string) bool {
		prefix, wide := strings.CutSuffix(allowed, "*")
		return allowed == name || wide && strings.HasPrefix(name, prefix)
	})
}
