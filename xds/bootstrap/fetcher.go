package bootstrap

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// prefetchListener is the name of the static listener with the prefetch slots.
const prefetchListener = "wasmpoint-prefetch"

// prefetch is a listener that is not bound and whose one chain fits no peer. What comes into its slots only brings code into
// Envoy's cache, which is one for the whole process. The slots have a default, so that nothing ever waits for this listener:
// no static listener of an Envoy opens before all of them can.
func prefetch(lanes []string, http slotKind) (*listenerv3.Listener, error) {
	router, err := anypb.New(&routerv3.Router{})
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:     prefetchListener,
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: "none"}},
	}
	for _, lane := range lanes {
		m.HttpFilters = append(m.HttpFilters, &hcmv3.HttpFilter{Name: lane, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{
			ConfigDiscovery: &corev3.ExtensionConfigSource{
				ConfigSource: ownStream(), TypeUrls: http.types, DefaultConfig: http.nothing, ApplyDefaultConfigWithoutWarming: true,
			},
		}})
	}
	m.HttpFilters = append(m.HttpFilters, &hcmv3.HttpFilter{
		Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: router},
	})
	manager, err := anypb.New(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	nowhere, err := address("prefetch", "127.0.0.1:1")
	if err != nil {
		return nil, err
	}
	return &listenerv3.Listener{
		Name: prefetchListener, Address: nowhere, BindToPort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{
			Name: "nobody",
			FilterChainMatch: &listenerv3.FilterChainMatch{SourcePrefixRanges: []*corev3.CidrRange{
				{AddressPrefix: "255.255.255.255", PrefixLen: wrapperspb.UInt32(32)},
			}},
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager},
			}},
		}},
	}, nil
}
