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
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
	"github.com/wasmpoint/wasmpoint/xds/names"
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
	err := e.Do(ctx, func() { out = e.inputs(e.proxiesByGateway()) })
	if err != nil {
		return nil, err // the loop may still be at it: its result is not read
	}
	return out, nil
}

func (e *Engine) snapshot() status.Snapshot {
	proxies := e.proxiesByGateway()
	out := status.Snapshot{Taken: e.opts.Now()}
	for _, in := range e.inputs(proxies) {
		out.Plugins = append(out.Plugins, status.NewPluginRow(in))
	}
	for _, list := range proxies {
		for i := range list {
			out.Proxies = append(out.Proxies, proxyRow(&list[i]))
		}
	}
	sort.Slice(out.Proxies, func(i, j int) bool {
		a, b := out.Proxies[i], out.Proxies[j]
		return a.Gateway+" "+a.ID < b.Gateway+" "+b.ID
	})
	for _, gw := range e.store.Gateways() {
		out.Gateways = append(out.Gateways, e.gatewayRow(types.NamespacedName{Namespace: gw.Namespace, Name: gw.Name}, proxies))
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

func (e *Engine) proxiesByGateway() map[types.NamespacedName][]acks.Proxy {
	out := map[types.NamespacedName][]acks.Proxy{}
	for _, p := range e.opts.Registry.Proxies(types.NamespacedName{}) {
		out[p.Gateway] = append(out[p.Gateway], p)
	}
	return out
}

func (e *Engine) inputs(proxies map[types.NamespacedName][]acks.Proxy) []status.Input {
	var out []status.Input
	for _, p := range e.store.Plugins() {
		if s := e.plugins[p.Key]; s != nil {
			out = append(out, e.input(s, proxies))
		}
	}
	return out
}

func (e *Engine) input(s *pluginState, proxies map[types.NamespacedName][]acks.Proxy) status.Input {
	in := status.Input{Plugin: s.plugin, Now: e.opts.Now(), Module: moduleState(s)}
	var all []model.Scope
	for _, v := range e.tracker.Verdicts(s.plugin.Key) {
		t := status.Target{Verdict: v}
		if v.Target.Kind == "Gateway" {
			if gw := e.store.Gateway(types.NamespacedName{Namespace: v.Target.Namespace, Name: v.Target.Name}); gw != nil {
				t.GatewayClass = string(gw.Spec.GatewayClassName)
			}
		}
		t.Proxies = e.count(s, v.Scopes, proxies)
		all = append(all, v.Scopes...)
		in.Targets = append(in.Targets, t)
	}
	overall := e.count(s, all, proxies)
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

// count tells on how many proxies a plugin runs in all of the given scopes.
func (e *Engine) count(s *pluginState, scopes []model.Scope, proxies map[types.NamespacedName][]acks.Proxy) status.Proxies {
	var out status.Proxies
	slots := map[types.NamespacedName][]string{}
	for _, scope := range scopes {
		if !e.served(scope) {
			out.Notes = append(out.Notes, fmt.Sprintf("port %d of Gateway %s is not served", scope.Port, scope.Gateway))
			continue
		}
		if name := e.slotOf(s, scope); name != "" {
			slots[scope.Gateway] = append(slots[scope.Gateway], name)
		}
	}
	notes := map[string]int{}
	for gateway, list := range slots {
		for i := range proxies[gateway] {
			p := &proxies[gateway][i]
			out.Total++
			if s.wanted != nil && runsIn(p, list, s.wanted.Hash) {
				out.Running++
				continue
			}
			if s.wanted != nil {
				if r, refused := p.Refused[s.wanted.Hash]; refused {
					out.Refusals = append(out.Refusals, status.Refusal{Proxy: p.ID, Error: r.Text})
				}
			}
			if note := e.instead(s, p, list); note != "" {
				notes[note]++
			}
		}
	}
	for note, n := range notes {
		out.Notes = append(out.Notes, fmt.Sprintf("%s on %d", note, n))
	}
	sort.Strings(out.Notes)
	sort.Slice(out.Refusals, func(i, j int) bool { return out.Refusals[i].Proxy < out.Refusals[j].Proxy })
	return out
}

// served tells whether a place has a listener. At a gateway that we program it may have none: a protocol that is not
// supported, a missing certificate, a Service without an address.
func (e *Engine) served(scope model.Scope) bool {
	state := e.gateways[scope.Gateway]
	if state == nil {
		return true // somebody else programs it; its proxies tell
	}
	if state.waypoint {
		return len(state.units[scope]) > 0
	}
	return slices.ContainsFunc(state.routes.Ports, func(p routes.Port) bool { return p.Port == scope.Port })
}

// instead says what stands in the plugin's place on a proxy that does not run its current generation.
func (e *Engine) instead(s *pluginState, p *acks.Proxy, slots []string) string {
	for _, v := range s.good {
		if runsIn(p, slots, v.Hash) {
			return "last good configuration (generation " + fmt.Sprint(v.Generation) + ") in force"
		}
	}
	for _, name := range slots {
		for _, denied := range p.Slots[name].Denied {
			if denied == s.plugin.String() {
				return "fail strategy " + string(s.plugin.FailStrategy) + " in force"
			}
		}
	}
	return ""
}

func runsIn(p *acks.Proxy, slots []string, variant string) bool {
	for _, name := range slots {
		if !p.Runs(name, variant) {
			return false
		}
	}
	return len(slots) > 0
}

// slotOf is the slot of a place in which the plugin stands, "" if it does not.
func (e *Engine) slotOf(s *pluginState, scope model.Scope) string {
	place, ok := e.places[scope]
	if !ok {
		return ""
	}
	if s.plugin.Type != model.TypeNetwork {
		return names.Slot(scope, s.plugin.Phase)
	}
	for i, p := range networkOrder(place.Plugins) {
		if p.Key == s.plugin.Key && i < model.NetworkSlots {
			return names.NetworkSlot(scope, i)
		}
	}
	return ""
}

func proxyRow(p *acks.Proxy) status.ProxyRow {
	row := status.ProxyRow{
		Gateway: p.Gateway.String(), ID: p.ID, Connected: p.Connected, EnvoyVersion: p.Envoy, Slots: len(p.Slots),
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

func (e *Engine) gatewayRow(name types.NamespacedName, proxies map[types.NamespacedName][]acks.Proxy) status.GatewayRow {
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
	row.Programmed = len(proxies[name]) > 0
	if !row.Programmed {
		row.Message = "no proxy is connected"
	}
	for i := range proxies[name] {
		p := &proxies[name][i]
		for _, url := range slices.Sorted(maps.Keys(p.RefusedTypes)) {
			row.Programmed = false
			row.Message = fmt.Sprintf("proxy %s refuses its %s resources: %s", p.ID, url[strings.LastIndex(url, ".")+1:], p.RefusedTypes[url].Text)
		}
	}
	return row
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
