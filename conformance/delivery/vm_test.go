package delivery_test

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

// perIdentity is how often a VM exists in the proxy: compiled, on the main thread, and on each of the two workers.
const perIdentity = 4

// vms is how many Wasm VMs the proxy has, from its own statistics.
func (w *world) vms() int {
	w.t.Helper()
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/stats?filter=wasm.envoy.wasm.runtime.v8.active", w.admin))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(text) == 0 {
		return 0 // nothing was counted yet
	}
	_, value, _ := strings.Cut(strings.TrimSpace(string(text)), ": ")
	n, err := strconv.Atoi(value)
	if err != nil {
		w.t.Fatalf("statistics: %q", text)
	}
	return n
}

// settles waits until the proxy has the VMs of so many identities: old ones end after the requests that use them, and the
// lane's after its idle time.
func (w *world) settles(identities int) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, fmt.Sprint("the VMs of ", identities, " identities"), func() (bool, string) {
		n := w.vms()
		return n == identities*perIdentity, fmt.Sprint(n, " VMs")
	})
}

func TestPluginsWithOneModuleShareAVMAndAnotherEnvironmentMakesAnother(t *testing.T) {
	w := newWorld(t, 80, 81)
	digest := w.marker("shared")
	entry := func(i int, mark string, env ...model.EnvVar) build.Entry {
		p := &model.Plugin{
			Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: fmt.Sprint("plugin-", i)}, Type: model.TypeHTTP,
			FailStrategy: model.FailClose, Wasm: &model.Wasm{Config: fmt.Appendf(nil, `{"name":%q}`, mark), Env: env},
		}
		v := build.NewVariant(p, digest)
		return build.Entry{Plugin: p.Key, Fail: p.FailStrategy, Variants: []*build.Variant{v}, Wanted: v.Hash}
	}
	list := func(n int, prefix string) (entries []build.Entry, marks string) {
		var names []string
		for i := range n {
			entries = append(entries, entry(i, fmt.Sprint(prefix, i)))
			names = append([]string{fmt.Sprint(prefix, i)}, names...) // responses pass the chain backwards
		}
		return entries, strings.Join(names, ",")
	}
	w.envoy()
	w.wants(80, soon, 200, "")
	one, marks := list(1, "a")
	w.set(80, model.PhaseAuthn, one...)
	w.wants(80, soon, 200, marks)
	w.settles(1)
	thirty, marks := list(30, "a")
	w.set(80, model.PhaseAuthn, thirty...)
	w.wants(80, soon, 200, marks)
	w.settles(1)
	changed, marks := list(30, "b")
	w.set(80, model.PhaseAuthn, changed...)
	w.set(81, model.PhaseAuthz, changed...) // another scope, another phase
	w.wants(80, soon, 200, marks)
	w.wants(81, soon, 200, marks)
	w.settles(1)
	if n := w.modules.fetched(digest); n != 1 {
		t.Errorf("the proxy fetched the module %d times, want once", n)
	}
	other := entry(30, "other", model.EnvVar{Name: "REGION", Value: "north"})
	w.set(80, model.PhaseAuthn, append(changed, other)...)
	w.wants(80, soon, 200, "other,"+marks)
	w.settles(2)
	w.set(80, model.PhaseAuthn)
	w.set(81, model.PhaseAuthz)
	w.wants(80, soon, 200, "")
	w.settles(0)
}

func TestTwoPluginsOfOneNameBothRunWithTheirOwnConfiguration(t *testing.T) {
	w := newWorld(t, 80)
	digest := w.marker("m")
	plugin, _ := w.plugin("same", digest, "plugin")
	extension, v := w.plugin("same", digest, "extension")
	extension.Plugin.Kind = "TrafficExtension"
	again := build.NewVariant(&model.Plugin{
		Key: extension.Plugin, Type: model.TypeHTTP, FailStrategy: model.FailClose, Wasm: &model.Wasm{Config: v.Config},
	}, digest)
	extension.Variants, extension.Wanted = []*build.Variant{again}, again.Hash
	w.set(80, model.PhaseAuthn, plugin, extension)
	w.envoy()
	w.wants(80, soon, 200, "extension,plugin")
}
