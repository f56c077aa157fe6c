package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// forbidHostEnv makes plugins invalid that read a variable of the proxies that Options.HostEnv does not allow: as with any other
// edit that cannot work, the form before stays in force.
func (e *Engine) forbidHostEnv(events []store.Event) {
	for i, event := range events {
		p, is := event.Object.(*model.Plugin)
		if !is || p.Invalid != "" || p.Wasm == nil {
			continue
		}
		at := e.forbidden(p.Wasm.Env)
		if at < 0 {
			continue
		}
		field := "spec.vmConfig.env"
		if p.Kind == string(store.KindTrafficExtension) {
			field = "spec.wasm.vmConfig.env"
		}
		refused := *p
		refused.Invalid = fmt.Sprintf("%s[%d].name: plugins may not read the variable %q of proxies (%s); give a value, or have it added to hostEnv in the controller's configuration",
			field, at, p.Wasm.Env[at].Name, e.allowedHostEnv())
		events[i].Object = &refused
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

func (e *Engine) allowedHostEnv() string {
	if len(e.opts.HostEnv) == 0 {
		return "none may be read"
	}
	return "allowed: " + strings.Join(e.opts.HostEnv, ", ")
}
