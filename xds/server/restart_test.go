package server_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func TestAProxyThatHasEverythingIsSentNothingByARestartedServer(t *testing.T) {
	entries := []build.Entry{lua("a", "-- one")}
	first := start(t)
	first.set(entries, 80)
	c := fakeproxy.Config{Addr: first.addr, ID: "proxy", Gateway: gw, Slots: []string{slotName(80)}, Lane: true}
	connect := func() *fakeproxy.Proxy {
		p, err := fakeproxy.Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		return p
	}
	proxy := connect()
	lane := func() bool { return proxy.Held().Lane(names.Prefetch(gw)) == "empty" }
	testbed.Eventually(t, 15*time.Second, "everything is acknowledged, and the lane is empty again", func() (bool, string) {
		return first.slot(slotName(80)).Synced && len(first.slot(slotName(80)).Running) == 1 && lane(), ""
	})
	second := start(t)
	second.set(entries, 80)
	c.Addr, c.Held = second.addr, proxy.Held()
	proxy.Stop()
	var greeted atomic.Bool
	c.Refuse = func(r fakeproxy.Resource) string {
		if r.Lane && r.Version == "empty" {
			greeted.Store(true)
		}
		return ""
	}
	proxy = connect()
	testbed.Eventually(t, 5*time.Second, "the proxy is taken in", func() (bool, string) { return second.slot(slotName(80)).Synced, "" })
	if sent := proxy.Received(); sent.ResourceBytes != 0 {
		t.Errorf("a proxy that has everything was sent %+v", sent)
	}
	other := wasm("a")
	second.set([]build.Entry{other}, 80)
	// The module comes through the lane, so the lane is attached by then.
	testbed.Eventually(t, 15*time.Second, "the next change goes through the lane", func() (bool, string) {
		v := proxy.Held().Lane(names.Prefetch(gw))
		return v != "empty" && v != "", v
	})
	if greeted.Load() {
		t.Error("a lane that is empty was emptied again")
	}
}
