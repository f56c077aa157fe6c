package dataplane

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// What may stand in a slot. The lists are part of the listener: a change of them drains every proxy once.
var (
	httpSlotTypes    = []string{"type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig"}
	networkSlotTypes = []string{
		"type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
		"type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
	}
)

// ads is the one stream on which a proxy gets everything.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}

// slot is the discovery of a slot's content. There is no default and no end to waiting: a listener opens when the
// controller said what runs in its slots, never before, so no request slips past an authentication plugin.
func slot(types []string) *corev3.ExtensionConfigSource {
	source := ads()
	source.InitialFetchTimeout = durationpb.New(0)
	return &corev3.ExtensionConfigSource{ConfigSource: source, TypeUrls: types}
}

func httpSlot(name string) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: slot(httpSlotTypes)}}
}

// httpSlots are the slots of a scope in the order in which a request meets them.
func httpSlots(s model.Scope) []*hcmv3.HttpFilter {
	out := make([]*hcmv3.HttpFilter, 0, len(model.Phases))
	for _, p := range model.Phases {
		out = append(out, httpSlot(names.Slot(s, p)))
	}
	return out
}

// networkSlots are the network slots of a scope: single ones, because Envoy has no network filter chain.
func networkSlots(s model.Scope) []*listenerv3.Filter {
	out := make([]*listenerv3.Filter, 0, model.NetworkSlots)
	for i := range model.NetworkSlots {
		out = append(out, &listenerv3.Filter{
			Name:       names.NetworkSlot(s, i),
			ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: slot(networkSlotTypes)},
		})
	}
	return out
}
