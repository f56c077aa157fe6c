package bootstrap

import (
	"fmt"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// addReady adds a listener that passes /ready on to the admin endpoint, which itself must not be reached from outside.
// What Envoy says there is more than that its port is open: LIVE means that its first listeners have their plugins.
func (c Config) addReady(static *bootstrapv3.Bootstrap_StaticResources, admin *corev3.Address) error {
	at, err := address("Ready", c.Ready)
	if err != nil {
		return err
	}
	routes := []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/ready"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: names.AdminCluster}}},
	}}
	var filters []*hcmv3.HttpFilter
	if c.Drain != nil {
		route, own, err := c.Drain.resources()
		if err != nil {
			return err
		}
		routes, filters = append(routes, route), own
	}
	router, err := httpFilter("envoy.filters.http.router", &routerv3.Router{})
	if err != nil {
		return err
	}
	manager, err := anypb.New(&hcmv3.HttpConnectionManager{
		StatPrefix: names.ReadyListener, CodecType: hcmv3.HttpConnectionManager_HTTP1,
		RequestHeadersTimeout: durationpb.New(5 * time.Second),
		StreamIdleTimeout:     durationpb.New(0), // a drain may hold its answer back for an hour
		HttpFilters:           append(filters, router),
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			Name:         names.ReadyListener,
			VirtualHosts: []*routev3.VirtualHost{{Name: "ready", Domains: []string{"*"}, Routes: routes}},
		}},
	})
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	static.Clusters = append(static.Clusters, &clusterv3.Cluster{
		Name: names.AdminCluster, ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: names.AdminCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: admin}}}},
		}}},
	})
	static.Listeners = append(static.Listeners, &listenerv3.Listener{
		Name: names.ReadyListener, Address: at,
		// Probes must be answered while the proxy sheds load, too.
		BypassOverloadManager: true,
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "envoy.filters.network.http_connection_manager", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager},
		}}}},
	})
	return nil
}
