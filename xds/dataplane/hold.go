package dataplane

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	ratelimitconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	commonfaultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ratelimit/v3"
	proxysocketv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// holds are how long a connection to an address without a listener waits before it is tried again, each time longer: 9.55 s
// in all. A Service that was labelled just now is in this state: ztunnel may know of it before this proxy does, or its
// listener still waits for a module. Closing would fail requests, and passing them on would go around plugins.
var holds = []time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond,
	800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond, 3200 * time.Millisecond,
}

// silent is the last part of the address from which the connection comes on which nobody answers.
const silent = 100

// held is the address from which a connection comes back after its n-th wait. It tells the chains of the PROXY listener
// apart; the address that the client asked for, and the client's, are in the PROXY header as before.
func held(n int) string { return fmt.Sprintf("127.0.15.%d", n) }

// hold gives what keeps connections to addresses without a listener waiting: chains of the PROXY listener, and the clusters
// that lead back to it. No filter of Envoy just waits, so this one asks a rate limit service, with the time to wait as the
// time limit, that never answers: it is one of the chains. Without an IPv4 address among those on which the proxy listens
// connections are closed at once.
func hold(gw types.NamespacedName, addresses []netip.Addr, port uint32) (chains []*listenerv3.FilterChain, clusters []Resource) {
	closing := &listenerv3.FilterChain{Name: "unknown", Filters: []*listenerv3.Filter{tcpProxy("unknown_destination", names.Nowhere)}}
	i := slices.IndexFunc(addresses, func(a netip.Addr) bool { return a.Unmap().Is4() })
	if i < 0 {
		return []*listenerv3.FilterChain{closing}, nil
	}
	back := addresses[i].Unmap()
	if back.IsUnspecified() {
		back = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	for n, wait := range holds {
		cluster := backCluster(names.Hold(gw, n), back, port, n+1)
		clusters = append(clusters, Resource{TypeURL: TypeCluster, Name: cluster.Name, Message: cluster})
		chain := &listenerv3.FilterChain{
			Name:    fmt.Sprintf("hold_%d", n),
			Filters: []*listenerv3.Filter{waiting(gw, wait), tcpProxy("hold", cluster.Name)},
		}
		if n > 0 {
			chain.FilterChainMatch = from(n)
		}
		chains = append(chains, chain)
	}
	closing.FilterChainMatch = from(len(holds))
	silence := backCluster(names.Silence(gw), back, port, silent)
	silence.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: wrap(protocolOptions(HTTP2))}
	clusters = append(clusters, Resource{TypeURL: TypeCluster, Name: silence.Name, Message: silence})
	return append(chains, closing, silentChain()), clusters
}

// from matches connections that really come from an address, whatever their PROXY header says.
func from(n int) *listenerv3.FilterChainMatch {
	return &listenerv3.FilterChainMatch{DirectSourcePrefixRanges: []*corev3.CidrRange{{AddressPrefix: held(n), PrefixLen: wrapperspb.UInt32(32)}}}
}

// waiting holds a connection for a time, and then lets it go on.
func waiting(gw types.NamespacedName, wait time.Duration) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name: "envoy.filters.network.ratelimit",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(&ratelimitv3.RateLimit{
			StatPrefix:  "hold",
			Domain:      "hold",
			Descriptors: []*commonlimitv3.RateLimitDescriptor{{Entries: []*commonlimitv3.RateLimitDescriptor_Entry{{Key: "hold", Value: "hold"}}}},
			Timeout:     durationpb.New(wait),
			RateLimitService: &ratelimitconfigv3.RateLimitServiceConfig{
				TransportApiVersion: corev3.ApiVersion_V3,
				GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
						ClusterName: names.Silence(gw),
						Authority:   "silence", // the cluster's name is none
					},
				}},
			},
		})},
	}
}

// silentChain takes requests and leaves them without an answer for longer than anybody waits.
func silentChain() *listenerv3.FilterChain {
	delay := &hcmv3.HttpFilter{Name: "envoy.filters.http.fault", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(&faultv3.HTTPFault{
		Delay: &commonfaultv3.FaultDelay{
			FaultDelaySecifier: &commonfaultv3.FaultDelay_FixedDelay{FixedDelay: durationpb.New(time.Minute)},
			Percentage:         &typev3.FractionalPercent{Numerator: 100},
		},
	})}}
	m := manager("silence", []*hcmv3.HttpFilter{delay}, false)
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
		Name: "silence", VirtualHosts: []*routev3.VirtualHost{{Name: "*", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 503}},
		}}}},
	}}
	return &listenerv3.FilterChain{Name: "silence", FilterChainMatch: from(silent), Filters: []*listenerv3.Filter{managerFilter(m)}}
}

// backCluster leads to the PROXY listener itself, from the address held(n), with the PROXY header of the connection.
func backCluster(name string, to netip.Addr, port uint32, n int) *clusterv3.Cluster {
	socketOf := &proxysocketv3.ProxyProtocolUpstreamTransport{
		Config: &corev3.ProxyProtocolConfig{
			Version:         corev3.ProxyProtocolConfig_V2,
			PassThroughTlvs: &corev3.ProxyProtocolPassThroughTLVs{MatchType: corev3.ProxyProtocolPassThroughTLVs_INCLUDE_ALL},
		},
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.raw_buffer",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(&rawv3.RawBuffer{})},
		},
	}
	return &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:  durationpb.New(connectTimeout),
		CircuitBreakers: unlimited(),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(to.String(), port)}}}},
		}}},
		UpstreamBindConfig: &corev3.BindConfig{SourceAddress: &corev3.SocketAddress{Address: held(n), PortSpecifier: &corev3.SocketAddress_PortValue{}}},
		TransportSocket: &corev3.TransportSocket{
			Name: "envoy.transport_sockets.upstream_proxy_protocol", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(socketOf)},
		},
	}
}

// unlimited are circuit breakers that never open. Limits are the business of plugins and of the Service's owner; Envoy's
// default of 1024 would be a surprise.
func unlimited() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: wrapperspb.UInt32(math.MaxUint32), MaxPendingRequests: wrapperspb.UInt32(math.MaxUint32),
		MaxRequests: wrapperspb.UInt32(math.MaxUint32), MaxRetries: wrapperspb.UInt32(math.MaxUint32),
	}}}
}
