package server_test

import (
	"maps"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

func TestTheRegistryKnowsWhichListenersOfItsGatewayAProxyTook(t *testing.T) {
	p := start(t)
	var mu sync.Mutex
	refuses := false
	proxy := testbed.Connect(t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		mu.Lock()
		defer mu.Unlock()
		if refuses && len(r.Resources) > 0 {
			return "no"
		}
		return ""
	})
	known := func() map[string]string {
		for _, one := range p.registry.Proxies(gw) {
			return one.Listeners
		}
		return nil
	}
	service := names.Listener(model.Scope{Gateway: gw, Port: 80, Service: model.ServiceKey{Kind: "Service", Namespace: "default", Name: "web"}})
	p.hub.Group(gw).Apply(cache.Change{Resources: resources(server.TypeListener, "l", service)})
	first := p.hub.Group(gw).Resources(server.TypeListener)["l"].Version
	if got := known(); len(got) > 0 {
		t.Fatalf("a proxy that asked for nothing has %v", got)
	}
	proxy.Subscribe(server.TypeListener, nil, nil)
	proxy.Wait(5*time.Second, "the gateway's own listener is known", func() bool { return maps.Equal(known(), map[string]string{"l": first}) })

	mu.Lock()
	refuses = true
	mu.Unlock()
	edited := map[string]map[string]*cache.Resource{server.TypeListener: {"l": cache.NewResource(&anypb.Any{TypeUrl: server.TypeListener, Value: []byte("edited")})}}
	p.hub.Group(gw).Apply(cache.Change{Resources: edited})
	proxy.Wait(5*time.Second, "the refusal", func() bool { return len(p.refusedTypes()) == 1 })
	if got := known()["l"]; got != first {
		t.Errorf("after a refusal the proxy has version %q, want %q", got, first)
	}

	mu.Lock()
	refuses = false
	mu.Unlock()
	p.hub.Group(gw).Apply(cache.Change{Resources: map[string]map[string]*cache.Resource{server.TypeListener: {"l": nil}}})
	proxy.Wait(5*time.Second, "the listener is gone", func() bool { return len(known()) == 0 })
}

func TestAProxyThatComesBackWithItsListenersHasThem(t *testing.T) {
	p := start(t)
	p.hub.Group(gw).Apply(cache.Change{Resources: resources(server.TypeListener, "l")})
	version := p.hub.Group(gw).Resources(server.TypeListener)["l"].Version
	proxy := testbed.Connect(t, p.addr, node("default/gw"), nil)
	proxy.Subscribe(server.TypeListener, nil, map[string]string{"l": version})
	proxy.Wait(5*time.Second, "the listener is known", func() bool {
		list := p.registry.Proxies(gw)
		return len(list) == 1 && maps.Equal(list[0].Listeners, map[string]string{"l": version})
	})
	if n := len(proxy.Responses(server.TypeListener)); n > 0 {
		t.Errorf("%d responses for a listener that the proxy has", n)
	}
}
