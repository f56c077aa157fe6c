package bootstrap

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	filterchainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// External is what an Envoy that somebody else programs needs in its own configuration.
type External struct {
	// XDS, Modules, TLS and TokenFile are as in Config.
	XDS, Modules string
	TLS          *TLS
	TokenFile    string
	// Scopes are where it has slots: (side, port), or (gateway, port) of a Gateway whose proxy it is.
	Scopes []model.Scope
	// HTTP and Network are the kinds of slots there.
	HTTP, Network bool
	// ADS has all slots come over the proxy's own ADS stream, which must be ours then. Otherwise each has a stream of its own.
	ADS bool
	// Open has a listener open without its plugins as long as the controller never answered. Otherwise it waits.
	Open bool
}

// Pieces are the parts of the configuration, by the place where each belongs.
type Pieces struct {
	// Clusters are static, and named in no other way.
	Clusters []*clusterv3.Cluster
	// Prefetch is a static listener that takes no traffic.
	Prefetch *listenerv3.Listener
	// ADS is dynamic_resources.ads_config; nil without External.ADS.
	ADS *corev3.ApiConfigSource
	// Slots are the filters, by scope.
	Slots []Slots
}

// Slots are the filters of one listener, in order.
type Slots struct {
	Scope   model.Scope
	HTTP    []*hcmv3.HttpFilter
	Network []*listenerv3.Filter
}

// Pieces makes the parts. An error names the field that is wrong.
func (x External) Pieces() (*Pieces, error) {
	if len(x.Scopes) == 0 {
		return nil, fmt.Errorf("bootstrap: Scopes is empty; name at least one listener that is to have slots")
	}
	if !x.HTTP && !x.Network {
		return nil, fmt.Errorf("bootstrap: neither HTTP nor Network is set; choose the slots")
	}
	xds, err := cluster("XDS", names.XDSCluster, x.XDS, true, x.TLS)
	if err != nil {
		return nil, err
	}
	if x.TokenFile != "" {
		if err := sendToken(xds, x.TokenFile); err != nil {
			return nil, err
		}
	}
	modules, err := cluster("Modules", names.ModulesCluster, x.Modules, false, x.TLS)
	if err != nil {
		return nil, err
	}
	p := &Pieces{Clusters: []*clusterv3.Cluster{xds, modules}}
	if x.ADS {
		p.ADS = grpcSource()
	}
	kinds, err := newSlotKinds()
	if err != nil {
		return nil, err
	}
	lanes := []string{names.Prefetch(x.Scopes[0].Gateway)}
	if x.Scopes[0].Side != "" {
		lanes[0] = names.ExternalPrefetch
	}
	if !x.ADS {
		lanes = nil
	}
	for _, scope := range x.Scopes {
		s := Slots{Scope: scope}
		for _, phase := range model.Phases {
			if x.HTTP {
				s.HTTP = append(s.HTTP, &hcmv3.HttpFilter{
					Name: names.Slot(scope, phase), ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: x.discovery(kinds.http)},
				})
				lanes = x.addLane(lanes, names.Slot(scope, phase))
			}
		}
		for i := range model.NetworkSlots {
			if x.Network {
				s.Network = append(s.Network, &listenerv3.Filter{
					Name: names.NetworkSlot(scope, i), ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: x.discovery(kinds.network)},
				})
				lanes = x.addLane(lanes, names.NetworkSlot(scope, i))
			}
		}
		p.Slots = append(p.Slots, s)
	}
	p.Prefetch, err = prefetch(lanes, kinds.http)
	return p, err
}

func (x External) addLane(lanes []string, slot string) []string {
	if x.ADS {
		return lanes
	}
	return append(lanes, names.Lane(slot))
}

// discovery is a slot. Without a default and an end to waiting the listener opens when the controller said what runs there,
// never before.
func (x External) discovery(k slotKind) *corev3.ExtensionConfigSource {
	source := ownStream()
	if x.ADS {
		source.ConfigSourceSpecifier = &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}
	}
	s := &corev3.ExtensionConfigSource{ConfigSource: source, TypeUrls: k.types}
	if x.Open {
		s.DefaultConfig, s.ApplyDefaultConfigWithoutWarming = k.nothing, true
	}
	return s
}

// slotKind is what may stand in a slot, and what stands for nothing there.
type slotKind struct {
	types   []string
	nothing *anypb.Any
}

type slotKinds struct{ http, network slotKind }

func newSlotKinds() (k slotKinds, err error) {
	pack := func(m proto.Message) *anypb.Any {
		packed, e := anypb.New(m)
		if e != nil {
			err = fmt.Errorf("bootstrap: %w", e)
		}
		return packed
	}
	chain := pack(&filterchainv3.FilterChainConfig{})
	pass := pack(&rbacv3.RBAC{StatPrefix: "wasmpoint"})
	wasm := pack(&wasmv3.Wasm{})
	if err != nil {
		return k, err
	}
	k.http = slotKind{[]string{chain.TypeUrl}, chain}
	k.network = slotKind{[]string{pass.TypeUrl, wasm.TypeUrl}, pass}
	return k, nil
}

// grpcSource is a delta stream to the controller.
func grpcSource() *corev3.ApiConfigSource {
	return &corev3.ApiConfigSource{
		ApiType: corev3.ApiConfigSource_DELTA_GRPC, TransportApiVersion: corev3.ApiVersion_V3, SetNodeOnFirstMessageOnly: true,
		GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: names.XDSCluster},
		}}},
	}
}

// ownStream is a source with a stream of its own.
func ownStream() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3, InitialFetchTimeout: durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: grpcSource()},
	}
}
