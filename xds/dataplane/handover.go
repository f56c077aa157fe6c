package dataplane

import (
	"math"
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// PeerPrincipal is the filter state in which plugins at a waypoint find who the client is, as ztunnel says: a SPIFFE ID
// such as spiffe://cluster.local/ns/shop/sa/web. It is absent where nobody said. The key is that of Istio's waypoints.
const PeerPrincipal = "io.istio.peer_principal"

const (
	proxyProtocolName = "envoy.filters.listener.proxy_protocol"
	originalDstName   = "envoy.filters.listener.original_dst"

	// identityTLV is the type under which ztunnel passes the client's identity.
	identityTLV = 0xd0
	// identityKey is where the PROXY filter keeps it, until it is filter state.
	identityKey = "peer_principal"

	// waitForAddress is how long a connection to an address without a Service waits for one.
	waitForAddress = 8 * time.Second
	// listenerAttempts are the attempts to reach the listener of an address, about 8 s in all: each after a random part of 100 ms,
	// since what is waited for is mostly the rest of one push.
	listenerAttempts = 160
)

// proxyProtocol takes the PROXY header off a connection. One without a header is closed.
func proxyProtocol() *listenerv3.ListenerFilter {
	return listenerFilter(proxyProtocolName, &proxyprotocolv3.ProxyProtocol{Rules: []*proxyprotocolv3.ProxyProtocol_Rule{{
		TlvType: identityTLV, OnTlvPresent: &proxyprotocolv3.ProxyProtocol_KeyValuePair{Key: identityKey},
	}}})
}

// handOver leads a connection into the listener of the address that its client asked for, within the proxy. What is known of
// the connection goes along as filter state; Envoy itself would hand it over, too (use_original_dst), but forgets on the way
// what the PROXY header said.
//
// While there is nothing that leads to that address, or its listener is not open yet, the connection waits, and it is closed
// after waitForAddress. A Service that was labelled just now is in this state: ztunnel may know of it before this proxy does,
// and its listener may wait for a module. Closing at once would fail requests; passing them on would go around plugins.
func handOver() []*listenerv3.Filter {
	const local, remote = "%DOWNSTREAM_LOCAL_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS%"
	peer := filterState(PeerPrincipal, "%DYNAMIC_METADATA("+proxyProtocolName+":"+identityKey+")%")
	peer.FactoryKey = "envoy.string"
	there := []*statev3.FilterStateValue{filterState(originalDstName+".local_ip", local), filterState(originalDstName+".remote_ip", remote), peer}
	for _, s := range there {
		s.SharedWithUpstream = statev3.FilterStateValue_ONCE
	}
	to := tcpProxy("handover", names.Nowhere)
	// A cluster that is not there is waited for. The proxy asks for it by name, too, but gets it in any case: it has all.
	to.OnDemand = &tcpproxyv3.TcpProxy_OnDemand{OdcdsConfig: ads(), Timeout: durationpb.New(waitForAddress)}
	// Connecting fails as long as the listener is not open.
	to.MaxConnectAttempts = wrapperspb.UInt32(listenerAttempts)
	to.BackoffOptions = &corev3.BackoffStrategy{BaseInterval: durationpb.New(25 * time.Millisecond), MaxInterval: durationpb.New(100 * time.Millisecond)}
	return []*listenerv3.Filter{{
		Name: "envoy.filters.network.set_filter_state",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(&setstatev3.Config{
			OnNewConnection: append(there, filterState("envoy.tcp_proxy.cluster", names.AddressPrefix+local)),
		})},
	}, tcpFilter(to)}
}

// filterState sets an entry of the connection's filter state, unless its value is empty.
func filterState(key, format string) *statev3.FilterStateValue {
	return &statev3.FilterStateValue{
		Key: &statev3.FilterStateValue_ObjectKey{ObjectKey: key}, SkipIfEmpty: true,
		Value: &statev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			OmitEmptyValues: true, // otherwise what is absent is the text "-"
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: format},
			}},
		}},
	}
}

// takeOver makes a listener one that only the PROXY listener leads to, by the clusters that it gives: one for each of the
// addresses. Client and address are those of the PROXY header there.
func takeOver(l *listenerv3.Listener, addresses []netip.Addr, port uint32) (out []Resource) {
	l.ListenerSpecifier = &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}}
	l.ListenerFilters = []*listenerv3.ListenerFilter{listenerFilter(originalDstName, &originaldstv3.OriginalDst{})}
	raw := &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.raw_buffer",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(&rawv3.RawBuffer{})},
	}
	for _, a := range addresses {
		c := &clusterv3.Cluster{
			Name: names.Address(netip.AddrPortFrom(a, uint16(port))),
			// All count as one; statistics of their own would take 20 KB each.
			AltStatName:          "handover",
			ConnectTimeout:       durationpb.New(connectTimeout),
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
			LbPolicy:             clusterv3.Cluster_RANDOM, // of one
			// Otherwise a pool is one for all clients of an address and port, and the first one's identity that of all: what is
			// shared with an upstream connection is no part of its pool's key.
			ConnectionPoolPerDownstreamConnection: true,
			CircuitBreakers:                       unlimited(),
			TransportSocket: &corev3.TransportSocket{
				Name:       "envoy.transport_sockets.internal_upstream",
				ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(&internalv3.InternalUpstreamTransport{TransportSocket: raw})},
			},
		}
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.Name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: within(l.Name)}}}},
		}}}
		out = append(out, Resource{TypeURL: TypeCluster, Name: c.Name, Message: c})
	}
	return out
}

// within is the address of a listener within the proxy.
func within(listener string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: listener},
	}}}
}

// unlimited are circuit breakers that never open. Limits are the business of plugins and of the Service's owner; Envoy's
// default of 1024 would be a surprise.
func unlimited() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: wrapperspb.UInt32(math.MaxUint32), MaxPendingRequests: wrapperspb.UInt32(math.MaxUint32),
		MaxRequests: wrapperspb.UInt32(math.MaxUint32), MaxRetries: wrapperspb.UInt32(math.MaxUint32),
	}}}
}

func listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{Name: name, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: wrap(config)}}
}
