package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// Snapshot is the whole state now. What only the runner of proxies knows (process ids) is left empty.
func (e *Engine) Snapshot(ctx context.Context) (status.Snapshot, error) {
	var out status.Snapshot
	err := e.Do(ctx, func() { out = e.snapshot() })
	if err != nil {
		return status.Snapshot{}, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

// Inputs gives what each plugin's status depends on, for the builders of package status.
func (e *Engine) Inputs(ctx context.Context) ([]status.Input, error) {
	var out []status.Input
	err := e.Do(ctx, func() { out = e.inputs(e.fleet()) })
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

func (e *Engine) snapshot() status.Snapshot {
	f := e.fleet()
	out := status.Snapshot{Taken: e.opts.Now()}
	for _, in := range e.inputs(f) {
		out.Plugins = append(out.Plugins, status.NewPluginRow(in))
	}
	for _, p := range e.allConnected() {
		out.Proxies = append(out.Proxies, proxyRow(&p))
	}
	sort.Slice(out.Proxies, func(i, j int) bool {
		a, b := out.Proxies[i], out.Proxies[j]
		return a.Gateway+" "+a.ID < b.Gateway+" "+b.ID
	})
	for _, gw := range e.store.Gateways() {
		out.Gateways = append(out.Gateways, e.gatewayRow(types.NamespacedName{Namespace: gw.Namespace, Name: gw.Name}, f))
	}
	for _, s := range e.store.Services() {
		out.Services = append(out.Services, e.serviceRow(model.ServiceKey{Kind: "Service", Namespace: s.Namespace, Name: s.Name}))
	}
	for _, s := range e.store.ServiceEntries() {
		out.Services = append(out.Services, e.serviceRow(model.ServiceKey{Kind: "ServiceEntry", Namespace: s.Namespace, Name: s.Name}))
	}
	for _, p := range e.problems {
		out.LoadErrors = append(out.LoadErrors, status.LoadError{File: p.File, Line: p.Line, Message: p.Message, Since: p.Since})
	}
	return out
}

func (e *Engine) inputs(f *fleet) []status.Input {
	var out []status.Input
	for _, p := range e.store.Plugins() {
		if s := e.plugins[p.Key]; s != nil {
			out = append(out, e.input(s, f))
		}
	}
	return out
}

func (e *Engine) input(s *pluginState, f *fleet) status.Input {
	in := status.Input{Plugin: s.plugin, Generation: s.plugin.ObjectGeneration(), Now: e.opts.Now(), Module: moduleState(s)}
	if s.plugin.Superseded != nil {
		in.Superseded = s.plugin.Superseded.Invalid
	}
	var all []model.Scope
	for _, v := range e.tracker.Verdicts(s.plugin.Key) {
		t := status.Target{Verdict: v}
		if v.Target.Kind == "Gateway" {
			if gw := e.store.Gateway(types.NamespacedName{Namespace: v.Target.Namespace, Name: v.Target.Name}); gw != nil {
				t.GatewayClass = string(gw.Spec.GatewayClassName)
				t.Waypoint = e.tracker.IsWaypoint(types.NamespacedName{Namespace: gw.Namespace, Name: gw.Name})
			}
		}
		t.Proxies = e.count(s, v.Scopes, f)
		all = append(all, v.Scopes...)
		in.Targets = append(in.Targets, t)
	}
	overall := e.count(s, all, f)
	in.Overall = &overall
	return in
}

func moduleState(s *pluginState) status.ModuleState {
	if s.plugin.Wasm == nil {
		return status.ModuleState{}
	}
	m := status.ModuleState{
		Ready: s.module.Ready, Reason: s.module.Reason, Err: s.module.Err, Attempts: s.module.Attempts, NextTry: s.module.NextTry,
	}
	switch {
	case s.module.Digest != "":
		m.Digest = "sha256:" + s.module.Digest
	case len(s.good) > 0 && s.good[0].Digest != "":
		m.Digest = "sha256:" + s.good[0].Digest
	}
	return m
}

func proxyRow(p *acks.Proxy) status.ProxyRow {
	gateway := p.Gateway.String()
	if model.IsWorkload(p.Gateway) {
		gateway = p.Gateway.Namespace + " (external)"
	}
	row := status.ProxyRow{
		Gateway: gateway, ID: p.ID, Connected: p.Connected, EnvoyVersion: p.Envoy, Slots: len(p.Slots),
	}
	for _, s := range p.Slots {
		if s.Synced {
			row.Synced++
		}
	}
	if p.LastRefusal != nil {
		row.LastNACK, row.LastNACKTime = p.LastRefusal.Text, p.LastRefusal.At
	}
	return row
}

func (e *Engine) gatewayRow(name types.NamespacedName, f *fleet) status.GatewayRow {
	gw := e.store.Gateway(name)
	row := status.GatewayRow{
		Namespace: name.Namespace, Name: name.Name, Class: string(gw.Spec.GatewayClassName), Waypoint: e.tracker.IsWaypoint(name),
	}
	state := e.gateways[name]
	if state == nil {
		row.Message = "the class " + row.Class + " is not ours to program"
		return row
	}
	row.Address = state.address.String()
	if state.waypoint {
		row.Ports = []int32{dataplane.ProxyPort}
	} else {
		for _, p := range state.routes.Ports {
			row.Ports = append(row.Ports, int32(e.network.Port(p.Port)))
		}
	}
	proxies := f.of(name).proxies
	behind := 0
	for i := range proxies {
		if proxies[i].TakesListeners && !state.standsIn(&proxies[i]) {
			behind++
		}
	}
	row.Programmed = len(proxies) > 0 && behind == 0
	switch {
	case len(proxies) == 0:
		row.Message = "no proxy is connected"
	case behind > 0:
		row.Message = fmt.Sprintf("%d of %d proxies still have to take the listeners", behind, len(proxies))
	}
	for i := range proxies {
		p := &proxies[i]
		for _, url := range slices.Sorted(maps.Keys(p.RefusedTypes)) {
			row.Programmed = false
			row.Message = fmt.Sprintf("proxy %s refuses its %s resources: %s", p.ID, url[strings.LastIndex(url, ".")+1:], p.RefusedTypes[url].Text)
		}
	}
	return row
}

// standsIn tells whether a proxy acknowledged the listeners of the gateway's own in the form that is in force.
func (s *gatewayState) standsIn(p *acks.Proxy) bool {
	for _, n := range s.units[model.Scope{}] {
		if n.url == dataplane.TypeListener && p.Listeners[n.name] != n.resource.Version {
			return false
		}
	}
	return true
}

func (e *Engine) serviceRow(key model.ServiceKey) status.ServiceRow {
	row := status.ServiceRow{Kind: key.Kind, Namespace: key.Namespace, Name: key.Name}
	if list := e.network.Service(key); len(list) > 0 {
		row.Address = list[0].String()
	}
	waypoint, message := e.waypointOf(key)
	row.Waypoint, row.Message = waypoint, message
	return row
}
