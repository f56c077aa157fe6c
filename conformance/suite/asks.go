package suite

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// ask adds a listener of the proxy's own to its bootstrap, which subscribes to a slot. It does not wait for the slot's content,
// so what the proxy has else is as it would be without.
func ask(b *bootstrapv3.Bootstrap, address, slot string) (err error) {
	pack := func(m proto.Message) *anypb.Any {
		packed, failed := anypb.New(m)
		if failed != nil {
			err = failed
		}
		return packed
	}
	empty := pack(&filterchainv3.FilterChainConfig{})
	manager := pack(&hcmv3.HttpConnectionManager{
		StatPrefix:     "asks",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: "asks"}},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: slot, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
				ConfigSource: &corev3.ConfigSource{
					ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}, ResourceApiVersion: corev3.ApiVersion_V3,
				},
				DefaultConfig: empty, ApplyDefaultConfigWithoutWarming: true, TypeUrls: []string{empty.GetTypeUrl()},
			}}},
			{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&routerv3.Router{})}},
		},
	})
	b.StaticResources.Listeners = append(b.StaticResources.Listeners, &listenerv3.Listener{
		Name: "asks",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 8080},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{
			{Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager}},
		}}},
	})
	return err
}
