//go:build faults

package controller

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestThreeReplicasCountTheirProxiesTogetherAndMissThoseOfAReplicaThatIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t).replicas("a", "b", "c")
	a := w.start("a").ready()
	w.logged("this replica leads")
	b, c := w.start("b").ready(), w.start("c").ready()
	s := w.scene("three")
	s.ApplyYAML([]byte(`
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: {name: counted, namespace: three}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
  lua: {inlineCode: "function envoy_on_response(h) h:headers():add('x-lua', 'here') end"}
`))
	proxy := func(r *replica, id string) {
		t.Helper()
		p, err := fakeproxy.Start(context.Background(), fakeproxy.Config{
			Addr: r.config.XDS.Address, ID: id, Gateway: s.gateway, Dial: r.dial(), Lane: true,
			Slots: []string{names.Slot(model.Scope{Gateway: s.gateway, Port: 8080}, model.PhaseUnspecified)},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
	}
	says := func(want string) {
		t.Helper()
		e := &extv1.TrafficExtension{}
		w.wait(time.Minute, "Programmed says "+want, func() (bool, string) {
			if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: "three", Name: "counted"}, e); err != nil {
				return false, err.Error()
			}
			for _, c := range e.Status.Conditions {
				if c.Type == "Programmed" {
					return c.Message == want, fmt.Sprint(c.Status, " ", c.Message)
				}
			}
			return false, "no Programmed"
		})
	}
	proxy(a, "proxy-a")
	says("1/1 proxies run it")
	proxy(b, "proxy-b")
	proxy(c, "proxy-c")
	says("3/3 proxies run it")
	c.stop()
	says("2/3 proxies run it; not connected: proxy-c")
	proxy(b, "proxy-c")
	says("3/3 proxies run it")
	if n := strings.Count(w.log.String(), "this replica leads"); n != 1 {
		t.Errorf("%d replicas led", n)
	}
}

func TestARefusedModuleIsKnownWhereItIsPushedAlsoWhenAnotherReplicaServedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t).replicas("a", "b")
	a := w.start("a").ready()
	w.logged("this replica leads")
	b := w.start("b").ready()
	s := w.scene("across")
	mixed := *a // a proxy that hears of plugins from a, and fetches modules from b
	mixed.config.Modules = b.config.Modules
	mixed.proxy("across", s.gateway)
	s.guard("one")
	s.guarded("one")
	w.registry.Push("broken", "1", registrytest.PluginImage(wasmtest.BrokenCode()))
	s.ApplyYAML([]byte(s.guardYAML("oci://"+w.registry.Host+"/broken:1", "two", "")))
	s.status("says that the proxy refuses it, and not that it was not seen to fetch it", func(p *extv1.WasmPlugin) bool {
		m := message(p, "Programmed")
		return is("Programmed", "False")(p) && strings.Contains(m, "across") && !strings.Contains(m, "was not seen to fetch")
	})
	s.guarded("one")
}
