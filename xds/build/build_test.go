package build

import (
	"bytes"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	netwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/wasm/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

const digest = "aa11"

func plugin(change func(*model.Plugin)) *model.Plugin {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: "auth"}, Generation: 1,
		Type: model.TypeHTTP, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{URL: "oci://x/y:1", RootID: "root", Config: []byte(`{"a":1}`)},
	}
	if change != nil {
		change(p)
	}
	return p
}

func delivery(attempt int) Delivery {
	return Delivery{Cluster: "modules", Attempt: attempt, ModuleURL: func(d string) string { return "http://modules/" + d }}
}

func TestTheVMIdentityHoldsNothingThatChangesWithEveryWrite(t *testing.T) {
	base := NewVariant(plugin(nil), digest)
	for name, c := range map[string]struct {
		change func(*model.Plugin)
		digest string
		same   bool
	}{
		"another generation":      {func(p *model.Plugin) { p.Generation = 9 }, digest, true},
		"another configuration":   {func(p *model.Plugin) { p.Wasm.Config = []byte(`{"a":2}`) }, digest, true},
		"another plugin":          {func(p *model.Plugin) { p.Name = "other" }, digest, true},
		"another URL and root id": {func(p *model.Plugin) { p.Wasm.URL, p.Wasm.RootID = "oci://z", "other" }, digest, true},
		"another module":          {nil, "bb22", false},
		"another environment":     {func(p *model.Plugin) { p.Wasm.Env = []model.EnvVar{{Name: "A", Value: "1"}} }, digest, false},
		"another fail strategy":   {func(p *model.Plugin) { p.FailStrategy = model.FailOpen }, digest, false},
		"another namespace":       {func(p *model.Plugin) { p.Namespace = "other" }, digest, false},
		"isolation asked for":     {func(p *model.Plugin) { p.Isolated = true }, digest, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := NewVariant(plugin(c.change), c.digest)
			if (v.VMID == base.VMID) != c.same {
				t.Errorf("VM identity %s, the first one's %s; want them equal: %v", v.VMID, base.VMID, c.same)
			}
		})
	}
}

func TestAVariantIsItsContentAndNotItsGeneration(t *testing.T) {
	a := NewVariant(plugin(nil), digest)
	if b := NewVariant(plugin(func(p *model.Plugin) { p.Generation = 7 }), digest); a.Hash != b.Hash {
		t.Error("a new generation with equal content has another hash: proxies would be sent what they have")
	}
	if b := NewVariant(plugin(func(p *model.Plugin) { p.Wasm.Config = []byte(`{"a":2}`) }), digest); a.Hash == b.Hash {
		t.Error("another configuration has the same hash: proxies would never get it")
	}
}

func TestASlotsVersionLeavesDeliveryOut(t *testing.T) {
	choices := []Choice{{Plugin: plugin(nil).Key, Variant: NewVariant(plugin(nil), digest)}}
	first, err := Resource("slot", false, choices, delivery(0))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Resource("slot", false, choices, delivery(1))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first.Value, second.Value) {
		t.Error("a second attempt has equal bytes: Envoy would acknowledge it and not apply it")
	}
	if Version(choices) == Version(nil) {
		t.Error("a slot with a plugin has the version of an empty one")
	}
}

func TestEveryWasmFilterIsRefusedRatherThanSilentlyIgnoredWhenItsCodeIsMissing(t *testing.T) {
	env := func(p *model.Plugin) {
		p.Wasm.Env = []model.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "H", FromHost: true}}
	}
	v := NewVariant(plugin(env), digest)
	body, err := Resource("slot", false, []Choice{{Plugin: v.Plugin, Variant: v}}, delivery(0))
	if err != nil {
		t.Fatal(err)
	}
	chain := &filterchainv3.FilterChainConfig{}
	unpackExtension(t, body, chain)
	filter := &httpwasmv3.Wasm{}
	unpack(t, chain.DefaultFilterChain.Filters[0].TypedConfig, filter)
	check(t, filter.Config)

	v.Network = true
	body, err = Resource("slot", true, []Choice{{Plugin: v.Plugin, Variant: v}}, delivery(0))
	if err != nil {
		t.Fatal(err)
	}
	network := &netwasmv3.Wasm{}
	unpackExtension(t, body, network)
	check(t, network.Config)
}

func check(t *testing.T, c *wasmv3.PluginConfig) {
	t.Helper()
	vm := c.GetVmConfig()
	if !vm.NackOnCodeCacheMiss {
		t.Error("nack_on_code_cache_miss is not set: an initialised slot would acknowledge code that it never fetches")
	}
	if remote := vm.Code.GetRemote(); remote.GetSha256() != digest || remote.GetHttpUri().GetCluster() != "modules" {
		t.Errorf("code %v, want the digest from the modules cluster", remote)
	}
	if e := vm.EnvironmentVariables; len(e.KeyValues) != 2 || len(e.HostEnvKeys) != 1 {
		t.Errorf("environment %v, want two values and one of the host's", e)
	}
	if c.FailurePolicy != wasmv3.FailurePolicy_FAIL_CLOSED || c.RootId != "root" || c.Name != "default.auth" {
		t.Errorf("plugin config %v", c)
	}
}

func TestNoPluginIsAnExplicitPassThrough(t *testing.T) {
	chain := &filterchainv3.FilterChainConfig{}
	body, err := Resource("slot", false, nil, delivery(0))
	if err != nil {
		t.Fatal(err)
	}
	unpackExtension(t, body, chain)
	if chain.DefaultFilterChain != nil {
		t.Error("an empty slot has a filter chain")
	}
	rbac := &rbacv3.RBAC{}
	if body, err = Resource("slot", true, nil, delivery(0)); err != nil {
		t.Fatal(err)
	}
	unpackExtension(t, body, rbac)
	if rbac.Rules != nil {
		t.Error("an empty network slot has rules")
	}
}

func TestAPluginThatFailsClosedLeavesAnErrorThatNamesIt(t *testing.T) {
	body, err := Resource("slot", false, []Choice{{Plugin: plugin(nil).Key}}, delivery(0))
	if err != nil {
		t.Fatal(err)
	}
	chain, script := &filterchainv3.FilterChainConfig{}, &luav3.Lua{}
	unpackExtension(t, body, chain)
	unpack(t, chain.DefaultFilterChain.Filters[0].TypedConfig, script)
	if source := script.DefaultSourceCode.GetInlineString(); !strings.Contains(source, "503") || !strings.Contains(source, "default/auth") {
		t.Errorf("script %q, want a 503 whose body names the plugin", source)
	}
	rbac := &rbacv3.RBAC{}
	if body, err = Resource("slot", true, []Choice{{Plugin: plugin(nil).Key}}, delivery(0)); err != nil {
		t.Fatal(err)
	}
	unpackExtension(t, body, rbac)
	if rbac.Rules == nil || len(rbac.Rules.Policies) != 0 {
		t.Error("a network plugin that fails closed must leave rules that allow nothing")
	}
}

func TestANetworkSlotHoldsOnePlugin(t *testing.T) {
	v := NewVariant(plugin(nil), digest)
	_, err := Resource("slot", true, []Choice{{Variant: v}, {Variant: v}}, delivery(0))
	if want := "slot slot: 2 plugins in a network slot, which holds one"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func unpackExtension(t *testing.T, body *anypb.Any, into proto.Message) {
	t.Helper()
	ext := &corev3.TypedExtensionConfig{}
	unpack(t, body, ext)
	unpack(t, ext.TypedConfig, into)
}

func unpack(t *testing.T, a *anypb.Any, into proto.Message) {
	t.Helper()
	if err := a.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
}
