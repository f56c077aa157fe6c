package dataplane

import (
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// Backends is what an ingress gateway's builder reads of the world.
type Backends interface {
	// Destination gives a Service's port as an upstream; nil if there is no such Service or port.
	Destination(service types.NamespacedName, port int32) *Destination
	// Secret gives a TLS Secret that the routing model named, nil if it is gone.
	Secret(types.NamespacedName) *corev1.Secret
}

// IngressInput is one managed ingress gateway.
type IngressInput struct {
	Gateway types.NamespacedName
	// Addresses are where the proxy listens, the first is the main one. At least one is needed.
	Addresses []netip.Addr
	// ListenPort is the port to listen on for a port of the Gateway; nil means the same.
	ListenPort func(int32) uint32
	// Ports is the routing model (routes.Compile).
	Ports []routes.Port
}

// Ingress gives all resources of an ingress gateway: one listener per port, one route configuration per port (or per TLS
// listener), the clusters and endpoints of the backends, the secrets, and the prefetch listener. Plugins have no part in it.
func Ingress(in IngressInput, b Backends) []Resource {
	out := []Resource{Prefetch(in.Gateway)}
	for i := range in.Ports {
		p := &in.Ports[i]
		out = append(out, ingressListener(in, p))
		for j := range p.Chains {
			c := &p.Chains[j]
			upstreams := upstreams{backends: b, known: map[portOf]*Destination{}}
			out = append(out, routeConfig(names.Routes(in.Gateway, p.Port, c.Listener), c, &upstreams))
			for _, d := range upstreams.known {
				if d != nil {
					out = append(out, Upstream(d)...)
				}
			}
			for _, s := range c.Certificates {
				if secret := b.Secret(s); secret != nil {
					out = append(out, TLSSecret(s, secret))
				}
			}
		}
	}
	return Sort(out)
}

// TLSSecret is the SDS resource of a TLS Secret, which routes.Compile found valid.
func TLSSecret(name types.NamespacedName, s *corev1.Secret) Resource {
	chain, key := routes.KeyPair(s)
	inline := func(b []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
	}
	return Resource{TypeURL: TypeSecret, Name: names.Secret(name), Message: &tlsv3.Secret{
		Name: names.Secret(name),
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)}},
	}}
}

func ingressListener(in IngressInput, p *routes.Port) Resource {
	scope := model.Scope{Gateway: in.Gateway, Port: p.Port}
	port := uint32(p.Port)
	if in.ListenPort != nil {
		port = in.ListenPort(p.Port)
	}
	l := &listenerv3.Listener{
		Name: names.Listener(scope),
		// Plugins read the direction (proxy-wasm's listener_direction); Istio's gateways say outbound, too.
		TrafficDirection: corev3.TrafficDirection_OUTBOUND,
	}
	listenOn(l, in.Addresses, port)
	if p.TLS {
		l.ListenerFilters = []*listenerv3.ListenerFilter{{
			Name:       "envoy.filters.listener.tls_inspector",
			ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: wrap(&tlsinspectorv3.TlsInspector{})},
		}}
	}
	for i := range p.Chains {
		l.FilterChains = append(l.FilterChains, ingressChain(scope, p.TLS, &p.Chains[i]))
	}
	return Resource{TypeURL: TypeListener, Name: l.Name, Message: l}
}

func ingressChain(s model.Scope, tls bool, c *routes.Chain) *listenerv3.FilterChain {
	m := manager("ingress_"+number(s.Port), append(httpSlots(s), grpcWeb(true)), true)
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
		ConfigSource: ads(), RouteConfigName: names.Routes(s.Gateway, s.Port, c.Listener),
	}}
	chain := &listenerv3.FilterChain{Name: "http", Filters: append(networkSlots(s), managerFilter(m))}
	if !tls {
		return chain
	}
	chain.Name = c.Listener
	if c.Hostname != "" {
		chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: []string{strings.ToLower(c.Hostname)}}
	}
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{AlpnProtocols: []string{"h2", "http/1.1"}}}
	for _, s := range c.Certificates {
		context.CommonTlsContext.TlsCertificateSdsSecretConfigs = append(context.CommonTlsContext.TlsCertificateSdsSecretConfigs,
			&tlsv3.SdsSecretConfig{Name: names.Secret(s), SdsConfig: ads()})
	}
	chain.TransportSocket = &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: wrap(context)},
	}
	return chain
}
