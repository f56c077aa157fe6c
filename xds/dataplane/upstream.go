package dataplane

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// connectTimeout bounds one attempt to connect to an endpoint.
const connectTimeout = 5 * time.Second

// httpOptions is the key of the protocol options of a cluster.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// Protocol is what a port speaks, as far as a proxy treats it differently.
type Protocol string

// The protocols. HTTP covers everything on HTTP/1.1, WebSocket included; HTTP2 covers h2c and gRPC.
const (
	TCP     Protocol = "tcp"
	HTTP    Protocol = "http"
	HTTP2   Protocol = "http2"
	GRPCWeb Protocol = "grpc-web"
)

// IsHTTP tells whether the port gets a connection manager.
func (p Protocol) IsHTTP() bool { return p == HTTP || p == HTTP2 || p == GRPCWeb }

// Resolution says how a destination's endpoints are found.
type Resolution int

// The resolutions. ByEndpoints uses the addresses given, ByDNS resolves names and uses all answers, ByFirstDNS uses the
// first answer, ByOriginal connects to the address that the client asked for.
const (
	ByEndpoints Resolution = iota
	ByDNS
	ByFirstDNS
	ByOriginal
)

// Endpoint is one place where a destination runs. Address is an IP address, or a name if the destination is resolved by DNS.
type Endpoint struct {
	Address string
	Port    uint32
	// Weight is the share of the load; 0 means 1.
	Weight uint32
}

// Destination is one port of a Service or ServiceEntry, as the upstream of a route or a waypoint.
type Destination struct {
	Service    model.ServiceKey
	Port       int32
	Protocol   Protocol
	Resolution Resolution
	// Endpoints are sorted and hold no doubles (see ServiceDestination, EntryDestination).
	Endpoints []Endpoint
}

// Name is the name of the destination's cluster and endpoints.
func (d *Destination) Name() string { return names.Cluster(d.Service, d.Port, string(d.Protocol)) }

// Upstream gives the cluster of a destination and, if its addresses are known here, its endpoints.
func Upstream(d *Destination) []Resource {
	c := &clusterv3.Cluster{
		Name:                      d.Name(),
		ConnectTimeout:            durationpb.New(connectTimeout),
		CircuitBreakers:           unlimited(),
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{}},
		// No member is ever taken out for its errors: a plugin's or a backend's 5xx is an answer like any other.
		LbPolicy: clusterv3.Cluster_LEAST_REQUEST,
	}
	if d.Protocol.IsHTTP() {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: wrap(protocolOptions(d.Protocol))}
	}
	out := []Resource{{TypeURL: TypeCluster, Name: c.Name, Message: c}}
	switch d.Resolution {
	case ByOriginal:
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}
		c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	case ByDNS, ByFirstDNS:
		c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
			Name: "envoy.cluster.dns",
			TypedConfig: wrap(&dnsv3.DnsCluster{
				RespectDnsTtl: true, DnsLookupFamily: commondnsv3.DnsLookupFamily_ALL,
				AllAddressesInSingleEndpoint: d.Resolution == ByFirstDNS && len(d.Endpoints) == 1,
			}),
		}}
		c.LoadAssignment = assignment(d)
	default:
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()}
		out = append(out, Resource{TypeURL: TypeEndpoint, Name: c.Name, Message: assignment(d)})
	}
	return out
}

// protocolOptions says what is spoken to the endpoints, explicitly: what the client speaks must not matter, or gRPC would
// reach a server as HTTP/1.1, and a WebSocket as HTTP/2.
func protocolOptions(p Protocol) *upstreamsv3.HttpProtocolOptions {
	explicit := &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig{}
	if p == HTTP {
		explicit.ProtocolConfig = &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}}
	} else {
		explicit.ProtocolConfig = &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}}
	}
	return &upstreamsv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit},
	}
}

func assignment(d *Destination) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: d.Name()}
	if len(d.Endpoints) == 0 {
		return out
	}
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, e := range d.Endpoints {
		lb := &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(e.Address, e.Port)}}}
		if e.Weight > 1 {
			lb.LoadBalancingWeight = wrapperspb.UInt32(e.Weight)
		}
		locality.LbEndpoints = append(locality.LbEndpoints, lb)
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{locality}
	return out
}
