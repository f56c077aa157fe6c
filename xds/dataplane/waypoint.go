package dataplane

import (
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// ProxyPort is where a waypoint takes connections with the PROXY protocol (ambient.istio.io/waypoint-inbound-binding).
const ProxyPort = 15088

// tcpIdle ends a TCP connection on which nothing moved for so long; databases keep connections open over night.
const tcpIdle = 24 * time.Hour

// Waypoint gives the resources that every proxy of a waypoint has: the PROXY listener and the prefetch listener. The PROXY
// listener hands each connection over to the listener of the address that the client asked for; one for which there is
// none in time, and one without PROXY header, is closed. Addresses must not be empty; port is ProxyPort but in tests and on
// shared hosts. bind is ServiceInput.Bind of all Services.
func Waypoint(gw types.NamespacedName, addresses []netip.Addr, port uint32, bind bool) []Resource {
	l := &listenerv3.Listener{
		Name:             names.ProxyListener(gw),
		TrafficDirection: corev3.TrafficDirection_INBOUND,
		ListenerFilters:  []*listenerv3.ListenerFilter{proxyProtocol()},
		FilterChains:     []*listenerv3.FilterChain{{Name: "handover", Filters: handOver()}},
	}
	if bind {
		// Listeners that have addresses are found by Envoy itself.
		l.UseOriginalDst = wrapperspb.Bool(true)
	}
	listenOn(l, addresses, port)
	return Sort([]Resource{{TypeURL: TypeListener, Name: l.Name, Message: l}, Prefetch(gw)})
}

// ServiceInput is one port of a Service or ServiceEntry at a waypoint.
type ServiceInput struct {
	Scope model.Scope
	// Addresses are the Service's own addresses (cluster IPs). Without one the Service cannot be reached through a waypoint.
	Addresses []netip.Addr
	// Bind makes the proxy listen on the addresses itself (standalone, where they are loopback addresses). Otherwise only
	// the PROXY listener leads there, and says who the client is (PeerPrincipal).
	Bind bool
	// ListenPort is the port to listen on; 0 means the Service's.
	ListenPort uint32
	// Destination is where the port's traffic goes; its protocol decides between HTTP slots and network slots.
	Destination Destination
}

// WaypointService gives the resources of one Service port at a waypoint: its listener, clusters and endpoints. Nothing is
// ever read from a connection before it reaches its filters: the servers of some TCP protocols speak first, and waiting
// for the client would hang them. Without addresses there is nothing to give.
func WaypointService(in ServiceInput) []Resource {
	if len(in.Addresses) == 0 {
		return nil
	}
	port := in.ListenPort
	if port == 0 {
		port = uint32(in.Scope.Port)
	}
	l := &listenerv3.Listener{Name: names.Listener(in.Scope), TrafficDirection: corev3.TrafficDirection_INBOUND}
	var out []Resource
	if in.Bind {
		listenOn(l, in.Addresses, port)
	} else {
		out = takeOver(l, in.Addresses, port)
	}
	if in.Bind && in.Destination.Resolution == ByOriginal {
		// The address that the client asked for is this very listener: connecting there would never end.
		in.Destination.Resolution = ByEndpoints
	}
	cluster := in.Destination.Name()
	stats := "waypoint_" + in.Scope.Service.Namespace + "_" + in.Scope.Service.Name + "_" + number(in.Scope.Port)
	chain := &listenerv3.FilterChain{}
	if in.Destination.Protocol.IsHTTP() {
		chain.Name = "http"
		filters := httpSlots(in.Scope)
		if in.Destination.Protocol == GRPCWeb {
			filters = append(filters, grpcWeb(false))
		}
		m := manager(stats, filters, false)
		m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: allTo(cluster)}
		chain.Filters = []*listenerv3.Filter{managerFilter(m)}
	} else {
		chain.Name = "tcp"
		chain.Filters = append(networkSlots(in.Scope), tcpFilter(tcpProxy(stats, cluster)))
	}
	l.FilterChains = []*listenerv3.FilterChain{chain}
	out = append(out, Upstream(&in.Destination)...)
	return Sort(append(out, Resource{TypeURL: TypeListener, Name: l.Name, Message: l}))
}

// allTo is the routing table of a waypoint's Service: everything to its own endpoints.
func allTo(cluster string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: "service", ValidateClusters: wrapperspb.Bool(false),
		VirtualHosts: []*routev3.VirtualHost{{Name: "*", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Name:  "all",
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
				Timeout:          durationpb.New(0),
				RetryPolicy:      basicRetries(),
			}},
		}}}},
	}
}

func tcpProxy(stats, cluster string) *tcpproxyv3.TcpProxy {
	return &tcpproxyv3.TcpProxy{
		StatPrefix: stats, ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: cluster}, IdleTimeout: durationpb.New(tcpIdle),
	}
}

func tcpFilter(p *tcpproxyv3.TcpProxy) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name:       "envoy.filters.network.tcp_proxy",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: wrap(p)},
	}
}
