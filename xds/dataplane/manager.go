package dataplane

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	grpcwebv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	xffv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/original_ip_detection/xff/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	managerName = "envoy.filters.network.http_connection_manager"
	grpcWebName = "envoy.filters.http.grpc_web"
	routerName  = "envoy.filters.http.router"

	// streamIdle ends a request on which nothing moved for so long. Envoy's own 5 minutes would cut quiet WebSockets and
	// gRPC streams.
	streamIdle = time.Hour
	// headersTimeout bounds how long a client may take for its request's headers.
	headersTimeout = time.Minute
	// maxHeadersKB is the size of request headers that are let in; Envoy's 60 is too little for large tokens.
	maxHeadersKB = 96
	// Limits of one client's HTTP/2 connection at the edge, as Envoy's guide for edge proxies advises.
	edgeStreams    = 100
	edgeStream     = 64 << 10
	edgeConnection = 1 << 20
)

// manager is a connection manager before its routes: the same for ingress gateways and waypoints where nothing is said.
//
// Paths are brought into one form before any filter sees them (dot segments, doubled slashes, and %2F and %5C turned into
// slashes): plugins decide by path, and the backend gets the very path on which they decided. Rejecting or redirecting
// such paths would break clients that send %2F rightly.
func manager(statPrefix string, filters []*hcmv3.HttpFilter, edge bool) *hcmv3.HttpConnectionManager {
	m := &hcmv3.HttpConnectionManager{
		CodecType:                    hcmv3.HttpConnectionManager_AUTO,
		StatPrefix:                   statPrefix,
		HttpFilters:                  append(filters, router()),
		UpgradeConfigs:               []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		StreamIdleTimeout:            durationpb.New(streamIdle),
		RequestHeadersTimeout:        durationpb.New(headersTimeout),
		MaxRequestHeadersKb:          wrapperspb.UInt32(maxHeadersKB),
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD,
		ServerHeaderTransformation:   hcmv3.HttpConnectionManager_PASS_THROUGH,
	}
	if edge {
		m.UseRemoteAddress = wrapperspb.Bool(true)
		m.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        wrapperspb.UInt32(edgeStreams),
			InitialStreamWindowSize:     wrapperspb.UInt32(edgeStream),
			InitialConnectionWindowSize: wrapperspb.UInt32(edgeConnection),
		}
		return m
	}
	// A waypoint is transparent: it neither adds to X-Forwarded-For nor believes it, so that plugins see the address that
	// the connection really comes from. No header has so many hops, which makes Envoy take the peer's own address.
	m.UseRemoteAddress = wrapperspb.Bool(false)
	m.OriginalIpDetectionExtensions = []*corev3.TypedExtensionConfig{{
		Name: "envoy.http.original_ip_detection.xff",
		TypedConfig: wrap(&xffv3.XffConfig{
			XffNumTrustedHops: maxHeadersKB << 10,
			SkipXffAppend:     wrapperspb.Bool(true),
		}),
	}}
	return m
}

// nobody is an address range that no connection comes from.
func nobody() *corev3.CidrRange {
	return &corev3.CidrRange{AddressPrefix: "255.255.255.255", PrefixLen: wrapperspb.UInt32(32)}
}

func router() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: routerName, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(&routerv3.Router{})}}
}

// grpcWeb turns gRPC-Web requests into gRPC. Disabled, it waits for a route that enables it: which backends speak gRPC-Web
// may change without a change of the listener.
func grpcWeb(disabled bool) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name: grpcWebName, Disabled: disabled,
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: wrap(&grpcwebv3.GrpcWeb{})},
	}
}

func managerFilter(m *hcmv3.HttpConnectionManager) *listenerv3.Filter {
	return &listenerv3.Filter{Name: managerName, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(m)}}
}
