// Package fakeproxy is thousands of proxies in one process, for benchmarks of what pushes to many cost: each has a connection
// of its own, asks as our bootstrap does (delta ADS, and a prefetch lane on a second stream), acknowledges everything, or
// refuses by a rule, and tells when which version arrived. It decodes no more of a response than it needs.
//
// It speaks to any delta ADS server that sends TypedExtensionConfigs. What a real Envoy makes of a message is tested with
// real Envoys (conformance/delivery).
package fakeproxy

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	extensionv3 "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// TypeExtensionConfig is the type URL of slots.
const TypeExtensionConfig = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"

// Config says what a proxy is and does. Addr, ID and Slots are needed.
type Config struct {
	// Addr is the server's host:port.
	Addr string
	// ID is the node's id; Gateway the Gateway whose proxy it is.
	ID      string
	Gateway types.NamespacedName
	// Slots are the resources to subscribe to: slot names, or a plain server's resource names.
	Slots []string
	// Types are type URLs to subscribe to with a wildcard before the slots, as Envoy does with listeners and clusters.
	Types []string
	// Lane opens the prefetch lane's stream as well.
	Lane bool
	// Refuse gives the text of a refusal, "" acknowledges. Nil acknowledges everything.
	Refuse func(Resource) string
	// Arrived is called with everything that arrives in a slot (not in the lane), before it is answered. It must be quick.
	Arrived func(Resource)
	// Held is what the proxy has from an earlier connection, as Proxy.Held gives it.
	Held Held
	// Dial are further options of the connection (credentials; plain text by default).
	Dial []grpc.DialOption
}

// Resource is one resource as it arrived.
type Resource struct {
	Proxy, Type, Name, Version string
	// Body is the marshalled resource. It must not be changed.
	Body []byte
	At   time.Time
	// Lane tells that it came through the prefetch lane.
	Lane bool
}

// Proxy is a connected fake proxy.
type Proxy struct {
	config Config
	conn   *grpc.ClientConn
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	held     Held
	received Received
	err      error
}

// Start connects a proxy. It runs until Stop or until its stream ends.
func Start(ctx context.Context, c Config) (*Proxy, error) {
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithReadBufferSize(4 << 10),
		grpc.WithWriteBufferSize(4 << 10),
		grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(1 << 20), // as Envoy, no pings that measure the line
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{})),
	}, c.Dial...)
	conn, err := grpc.NewClient("passthrough:///"+c.Addr, dial...)
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", c.ID, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &Proxy{config: c, conn: conn, cancel: cancel, held: Held{}}
	maps.Copy(p.held, c.Held)
	if err := p.open(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("proxy %s: %w", c.ID, err)
	}
	return p, nil
}

func (p *Proxy) open(ctx context.Context) error {
	node := Node(p.config.ID, p.config.Gateway)
	ads, err := p.stream(ctx, discoveryv3.AggregatedDiscoveryService_ServiceDesc.ServiceName+"/DeltaAggregatedResources")
	if err != nil {
		return err
	}
	for _, url := range p.config.Types {
		if err := ads.SendMsg(&discoveryv3.DeltaDiscoveryRequest{
			Node: node, TypeUrl: url, InitialResourceVersions: p.config.Held.of(url, false),
		}); err != nil {
			return err
		}
		node = nil // it goes with the first message of a stream only
	}
	if err := ads.SendMsg(&discoveryv3.DeltaDiscoveryRequest{
		Node: node, TypeUrl: TypeExtensionConfig, ResourceNamesSubscribe: p.config.Slots,
		InitialResourceVersions: p.config.Held.of(TypeExtensionConfig, false),
	}); err != nil {
		return err
	}
	p.done.Go(func() { p.receive(ads, false) })
	if !p.config.Lane {
		return nil
	}
	lane, err := p.stream(ctx, extensionv3.ExtensionConfigDiscoveryService_ServiceDesc.ServiceName+"/DeltaExtensionConfigs")
	if err != nil {
		return err
	}
	if err := lane.SendMsg(&discoveryv3.DeltaDiscoveryRequest{
		Node: Node(p.config.ID, p.config.Gateway), TypeUrl: TypeExtensionConfig, ResourceNamesSubscribe: []string{names.Prefetch(p.config.Gateway)},
		InitialResourceVersions: p.config.Held.of(TypeExtensionConfig, true),
	}); err != nil {
		return err
	}
	p.done.Go(func() { p.receive(lane, true) })
	return nil
}

func (p *Proxy) stream(ctx context.Context, method string) (grpc.ClientStream, error) {
	return p.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+method)
}

// Node is what a managed proxy says of itself: our bootstrap's metadata, and Envoy 1.40.
func Node(id string, gateway types.NamespacedName) *corev3.Node {
	return &corev3.Node{
		Id: id, Cluster: gateway.String(), UserAgentName: "envoy",
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
			Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40},
		}},
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			bootstrap.MetadataNamespace: structpb.NewStringValue(gateway.Namespace),
			bootstrap.MetadataGateway:   structpb.NewStringValue(gateway.Name),
		}},
	}
}

func (p *Proxy) receive(s grpc.ClientStream, lane bool) {
	for {
		var r response
		if err := s.RecvMsg(&r); err != nil {
			p.ended(err)
			return
		}
		now := time.Now()
		nack := ""
		for i := range r.resources {
			x := &r.resources[i]
			x.Proxy, x.Type, x.At, x.Lane = p.config.ID, r.typeURL, now, lane
			if p.config.Arrived != nil && !lane {
				p.config.Arrived(*x)
			}
			if p.config.Refuse != nil && nack == "" {
				nack = p.config.Refuse(*x)
			}
		}
		p.took(&r, lane, nack == "")
		if err := s.SendMsg(&answer{typeURL: r.typeURL, nonce: r.nonce, nack: nack}); err != nil {
			continue // RecvMsg tells how the stream ended
		}
	}
}

func (p *Proxy) ended(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// Version is the acknowledged version of a resource, "" while there is none.
func (p *Proxy) Version(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[heldKey{TypeExtensionConfig, name, false}]
}

// Err is how the first of the streams ended, nil while both are open.
func (p *Proxy) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Stop ends the proxy.
func (p *Proxy) Stop() {
	p.cancel()
	_ = p.conn.Close() // the streams tell
	p.done.Wait()
}
