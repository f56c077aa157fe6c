package delivery_test

import (
	"fmt"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// connected waits until a proxy is connected and all its slots are settled.
func (w *world) connected() {
	w.t.Helper()
	testbed.Eventually(w.t, soon, "the proxy reconnects", func() (bool, string) {
		list := w.registry.Proxies(gateway)
		return len(list) > 0, fmt.Sprint(len(list), " proxies")
	})
}

// bind adds a scope with its listener while proxies are connected.
func (w *world) bind(port int32, authn ...build.Entry) {
	w.t.Helper()
	scope := model.Scope{Gateway: gateway, Port: port}
	slots := map[string]*build.Slot{}
	var list []string
	for _, ph := range model.Phases {
		name := names.Slot(scope, ph)
		slots[name] = &build.Slot{Name: name}
		list = append(list, name)
	}
	slots[list[0]].Entries = authn
	w.hub.Group(gateway).Apply(cache.Change{Slots: slots, Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {names.Listener(scope): listener(w.t, names.Listener(scope), w.ports[port], list)},
	}})
}

// relisten moves a scope's listener to its new port and keeps its slots.
func (w *world) relisten(port int32) {
	scope := model.Scope{Gateway: gateway, Port: port}
	var list []string
	for _, ph := range model.Phases {
		list = append(list, names.Slot(scope, ph))
	}
	w.hub.Group(gateway).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{
		server.TypeListener: {names.Listener(scope): listener(w.t, names.Listener(scope), w.ports[port], list)},
	}})
}

func (w *world) restartControlPlane() {
	w.t.Helper()
	w.stopControlPlane()
	w.startControlPlane()
}
