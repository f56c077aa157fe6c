package build

import (
	"fmt"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	netwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/wasm/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Delivery says how a proxy gets the code of a resource. It is not part of any version.
type Delivery struct {
	// ModuleURL gives the address of a module on the module server.
	ModuleURL func(digest string) string
	// Cluster is the proxy's cluster of the module server (static, in its bootstrap).
	Cluster string
	// Attempt differs between two sendings of equal content: Envoy ignores bytes that equal the last it was sent, even
	// if it refused them (facts: measured on 1.39 and 1.40).
	Attempt int
	// Epoch differs between two streams to one proxy, for the same reason.
	Epoch string
}

// FetchTimeout bounds the proxy's own fetch of a module from the module server.
const FetchTimeout = 30 * time.Second

// Resource builds the TypedExtensionConfig of a slot, ready to be sent. Every Wasm filter in it carries
// nack_on_code_cache_miss: without that flag an initialised slot acknowledges code that it does not have, never fetches
// it, and lets traffic pass.
func Resource(slot string, network bool, choices []Choice, d Delivery) (*anypb.Any, error) {
	var typed proto.Message
	if network {
		if len(choices) > 1 {
			return nil, fmt.Errorf("slot %s: %d plugins in a network slot, which holds one", slot, len(choices))
		}
		typed = networkFilter(choices, d)
	} else {
		chain := &filterchainv3.FilterChainConfig{}
		for _, c := range choices {
			f, err := httpFilter(c, d)
			if err != nil {
				return nil, fmt.Errorf("slot %s: %w", slot, err)
			}
			if chain.DefaultFilterChain == nil {
				chain.DefaultFilterChain = &filterchainv3.FilterChain{}
			}
			chain.DefaultFilterChain.Filters = append(chain.DefaultFilterChain.Filters, f)
		}
		typed = chain
	}
	inner, err := marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", slot, err)
	}
	return marshal(&corev3.TypedExtensionConfig{Name: slot, TypedConfig: inner})
}

func httpFilter(c Choice, d Delivery) (*corev3.TypedExtensionConfig, error) {
	var typed proto.Message
	switch {
	case c.Variant == nil:
		typed = lua(denyScript(c.Plugin))
	case c.Variant.Digest == "":
		typed = lua(c.Variant.Lua)
	default:
		typed = &httpwasmv3.Wasm{Config: pluginConfig(c.Variant, d)}
	}
	inner, err := marshal(typed)
	if err != nil {
		return nil, err
	}
	// The name is free text to Envoy; it carries attempt and epoch so that a Lua-only chain differs in a byte as well.
	name := c.Plugin.Namespace + "." + c.Plugin.Name
	if d.Attempt > 0 {
		name += "~" + strconv.Itoa(d.Attempt)
	}
	if d.Epoch != "" {
		name += "~" + d.Epoch
	}
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: inner}, nil
}

func lua(source string) proto.Message {
	return &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: source}}}
}

// denyScript answers 503 in the place of a FAIL_CLOSE plugin; the body names the plugin, so that the one who sees the
// error knows where to look.
func denyScript(k model.Key) string {
	return "function envoy_on_request(handle)\n  handle:respond({[\":status\"] = \"503\", [\"content-type\"] = \"text/plain\"}, " +
		strconv.Quote("wasmpoint: plugin "+k.Namespace+"/"+k.Name+" cannot run and its failStrategy is FAIL_CLOSE\n") + ")\nend\n"
}

// networkFilter is pass-through for no plugin (RBAC without rules), a closed connection for a plugin that cannot run
// (RBAC that allows nothing), or the plugin.
func networkFilter(choices []Choice, d Delivery) proto.Message {
	if len(choices) == 0 {
		return &rbacv3.RBAC{StatPrefix: "wasmpoint_pass"}
	}
	c := choices[0]
	if c.Variant == nil {
		return &rbacv3.RBAC{
			StatPrefix: "wasmpoint_deny_" + strconv.Itoa(d.Attempt),
			Rules:      &rbacconfigv3.RBAC{Action: rbacconfigv3.RBAC_ALLOW},
		}
	}
	return &netwasmv3.Wasm{Config: pluginConfig(c.Variant, d)}
}

func pluginConfig(v *Variant, d Delivery) *wasmv3.PluginConfig {
	vm := &wasmv3.VmConfig{
		VmId:                v.VMID,
		Runtime:             "envoy.wasm.runtime.v8",
		NackOnCodeCacheMiss: true,
		Code: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Remote{Remote: &corev3.RemoteDataSource{
			Sha256: v.Digest,
			HttpUri: &corev3.HttpUri{
				Uri:              d.ModuleURL(v.Digest),
				HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: d.Cluster},
				Timeout:          durationpb.New(FetchTimeout),
			},
		}}},
	}
	if len(v.Env) > 0 {
		env := &wasmv3.EnvironmentVariables{KeyValues: map[string]string{}}
		for _, e := range v.Env {
			if e.FromHost {
				env.HostEnvKeys = append(env.HostEnvKeys, e.Name)
			} else {
				env.KeyValues[e.Name] = e.Value
			}
		}
		vm.EnvironmentVariables = env
	}
	cfg := &wasmv3.PluginConfig{
		Name:          v.Name(),
		RootId:        v.RootID,
		Vm:            &wasmv3.PluginConfig_VmConfig{VmConfig: vm},
		FailurePolicy: failurePolicy(v.Fail),
	}
	if v.Config != nil {
		any, err := marshal(wrapperspb.String(string(v.Config)))
		if err == nil { // a StringValue of valid UTF-8 always marshals; the JSON of a config is valid UTF-8
			cfg.Configuration = any
		}
	}
	return cfg
}

func failurePolicy(f model.FailStrategy) wasmv3.FailurePolicy {
	switch f {
	case model.FailOpen:
		return wasmv3.FailurePolicy_FAIL_OPEN
	case model.FailReload:
		return wasmv3.FailurePolicy_FAIL_RELOAD
	default:
		return wasmv3.FailurePolicy_FAIL_CLOSED
	}
}

// marshal is deterministic: environment variables are a map on the wire.
func marshal(m proto.Message) (*anypb.Any, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: b}, nil
}
