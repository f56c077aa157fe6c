// Package bootstrap makes the configuration with which a managed Envoy starts: who it is, where its controller is, and
// nothing that a plugin, route or Service could change.
package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// Keys of the node's metadata, by which the xDS server knows whose proxy it is.
const (
	MetadataNamespace = "wasmpoint.dev/namespace"
	MetadataGateway   = "wasmpoint.dev/gateway"
)

// httpOptions is the key of a cluster's HTTP options.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// maxRegex is Envoy's limit of the size of a compiled expression. The real limit is set where routes are read (a refused
// expression would freeze a proxy's whole routing table); Envoy's default of 100 is too little for many honest ones.
const maxRegex = math.MaxInt32

// Config is what differs between proxies. All addresses are "host:port", or "unix:/path" for a Unix socket.
type Config struct {
	// ID names the proxy among all proxies; Gateway is the Gateway whose proxy it is.
	ID      string
	Gateway types.NamespacedName
	// XDS is the controller's xDS server, Modules its module server.
	XDS     string
	Modules string
	// TLS is how both are spoken to; nil means plain text, in which a token goes to this machine alone.
	TLS *TLS
	// TokenFile is the file with the ServiceAccount token by which the controller knows the proxy, "" for none. It is read
	// anew when the kubelet puts another one in its place.
	TokenFile string
	// Admin is Envoy's own admin endpoint: loopback or a Unix socket, because it needs no password.
	Admin string
	// Ready is where the proxy tells everybody whether it is ready, GET /ready, and nothing else; "" means nowhere.
	Ready string
	// Drain lets the kubelet end the proxy gently, on the address of Ready; nil: nobody can.
	Drain *Drain
	// Metadata are further entries of the node's metadata.
	Metadata map[string]string
}

// JSON gives the bootstrap as JSON, for `envoy -c FILE` (a name that ends in .json). An error names the field that is
// wrong.
func JSON(c Config) ([]byte, error) {
	m, err := Message(c)
	if err != nil {
		return nil, err
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap of %s: %w", c.ID, err)
	}
	// protojson spaces its output differently from build to build; equal configurations shall have equal bytes.
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("bootstrap of %s: %w", c.ID, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Message gives the bootstrap as a message.
func Message(c Config) (*bootstrapv3.Bootstrap, error) {
	if c.ID == "" {
		return nil, fmt.Errorf("bootstrap: ID is empty, every proxy needs a name of its own")
	}
	admin, err := address("Admin", c.Admin)
	if err != nil {
		return nil, err
	}
	if s := admin.GetSocketAddress(); s != nil {
		if ip := net.ParseIP(s.Address); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("bootstrap: Admin %q is not a loopback address; Envoy's admin endpoint lets everybody stop the proxy", c.Admin)
		}
	}
	xds, err := cluster("XDS", names.XDSCluster, c.XDS, true, c.TLS)
	if err != nil {
		return nil, err
	}
	if c.TokenFile != "" {
		if err := sendToken(xds, c.TokenFile); err != nil {
			return nil, err
		}
	}
	modules, err := cluster("Modules", names.ModulesCluster, c.Modules, false, c.TLS)
	if err != nil {
		return nil, err
	}
	metadata := map[string]*structpb.Value{
		MetadataNamespace: structpb.NewStringValue(c.Gateway.Namespace),
		MetadataGateway:   structpb.NewStringValue(c.Gateway.Name),
	}
	for k, v := range c.Metadata {
		metadata[k] = structpb.NewStringValue(v)
	}
	internal, err := anypb.New(&internalv3.InternalListener{})
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	ads := func() *corev3.ConfigSource {
		s := &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			ResourceApiVersion:    corev3.ApiVersion_V3,
		}
		if c.Ready != "" {
			// Envoy would call itself ready after 15 s without a word from its controller, and take traffic to no listener.
			s.InitialFetchTimeout = durationpb.New(0)
		}
		return s
	}
	static := &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{modules, xds}}
	if c.Ready != "" {
		if err := c.addReady(static, admin); err != nil {
			return nil, err
		}
	}
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{
			Id: c.ID, Cluster: c.Gateway.Namespace + "/" + c.Gateway.Name,
			Metadata: &structpb.Struct{Fields: metadata},
		},
		Admin:           &bootstrapv3.Admin{Address: admin},
		StatsConfig:     leanStats(),
		StaticResources: static,
		// Listeners within the proxy: a waypoint hands connections over to them.
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{Name: "envoy.bootstrap.internal_listener", TypedConfig: internal}},
		// A waypoint has many clusters without traffic, and their statistics are most of what they cost.
		DeferredStatOptions: &bootstrapv3.Bootstrap_DeferredStatOptions{EnableDeferredCreationStats: true},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			LdsConfig: ads(), CdsConfig: ads(),
			AdsConfig: &corev3.ApiConfigSource{
				ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion: corev3.ApiVersion_V3,
				// The node goes with the first message of a stream only.
				SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: names.XDSCluster},
				}}},
			},
		},
		LayeredRuntime: &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
			Name: "static",
			LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
				"re2.max_program_size.error_level": structpb.NewNumberValue(maxRegex),
				// Otherwise (since Envoy 1.40) every end of a connection within the proxy counts as a reset, which is passed on at
				// once: a client that says "Connection: close" to a waypoint loses the answer.
				"envoy.reloadable_features.enable_send_rst_on_user_space_socket": structpb.NewBoolValue(false),
			}}},
		}}},
	}, nil
}

// leanStats leaves out most of the counters that Envoy has for each slot: with the four of each Service they were a seventh of what
// a Service costs a waypoint (BENCHMARKS.md), and the controller tells more about a slot. Reloads and failures stay.
func leanStats() *metricsv3.StatsConfig {
	return &metricsv3.StatsConfig{StatsMatcher: &metricsv3.StatsMatcher{StatsMatcher: &metricsv3.StatsMatcher_ExclusionList{
		ExclusionList: &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{{
			MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{
				Regex: `extension_config_discovery\..*\.(?:update_.*|init_fetch_timeout|version.*)`,
			}},
		}}},
	}}}
}

// cluster is a static cluster with one endpoint. The keepalive finds a controller that vanished without a word.
func cluster(field, name, where string, http2 bool, secure *TLS) (*clusterv3.Cluster, error) {
	a, err := address(field, where)
	if err != nil {
		return nil, err
	}
	c := &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(5 * time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: a}}}},
		}}},
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveTime: wrapperspb.UInt32(60), KeepaliveInterval: wrapperspb.UInt32(10), KeepaliveProbes: wrapperspb.UInt32(3),
		}},
	}
	if s := a.GetSocketAddress(); s != nil && net.ParseIP(s.Address) == nil {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_ALL
	}
	if secure != nil {
		if c.TransportSocket, err = secure.socket(http2); err != nil {
			return nil, err
		}
	}
	if !http2 {
		return c, nil
	}
	options := &upstreamsv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
				ConnectionKeepalive: &corev3.KeepaliveSettings{Interval: durationpb.New(30 * time.Second), Timeout: durationpb.New(10 * time.Second)},
			}},
		}},
	}
	return c, setOptions(c, options)
}

// setOptions sets a cluster's HTTP options.
func setOptions(c *clusterv3.Cluster, options *upstreamsv3.HttpProtocolOptions) error {
	packed, err := anypb.New(options)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: packed}
	return nil
}

func address(field, s string) (*corev3.Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %s %q must be host:port or unix:/path: %w", field, s, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" {
		return nil, fmt.Errorf("bootstrap: %s %q must be host:port or unix:/path", field, s)
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}, nil
}
