package dataplane

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// Prefetch is the listener that carries a proxy's prefetch slot. It is not bound and its one chain fits no peer, so no
// connection ever gets there; what is pushed into its slot only brings code into Envoy's cache, which is one for the whole
// process (also for network plugins).
//
// The slot has a stream of its own, because a refusal on ADS is told to every slot of the stream, and a slot that was not
// answered yet stops waiting then: its listener opens and answers 500 (measured on Envoy 1.40).
func Prefetch(gw types.NamespacedName) Resource {
	slot := httpSlot(names.Prefetch(gw))
	slot.GetConfigDiscovery().ConfigSource = ownStream()
	m := manager("prefetch", []*hcmv3.HttpFilter{slot}, false)
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: "none"}}
	l := &listenerv3.Listener{
		Name:       names.PrefetchListener(gw),
		Address:    socket("127.0.0.1", 1),
		BindToPort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{
			Name:             "nobody",
			FilterChainMatch: &listenerv3.FilterChainMatch{SourcePrefixRanges: []*corev3.CidrRange{nobody()}},
			Filters:          []*listenerv3.Filter{managerFilter(m)},
		}},
	}
	return Resource{TypeURL: TypeListener, Name: l.Name, Message: l}
}

func ownStream() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:  corev3.ApiVersion_V3,
		InitialFetchTimeout: durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
			ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: names.XDSCluster},
			}}},
		}},
	}
}
