package testbed

import (
	"context"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	extensionv3 "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Proxy is a delta ADS client that answers as Envoy does, for tests of the protocol that need to see every message.
// What a real Envoy makes of a message is tested with real Envoys.
type Proxy struct {
	t      testing.TB
	conn   *grpc.ClientConn
	node   *corev3.Node
	stream stream
	cancel context.CancelFunc

	mu        sync.Mutex
	held      map[string]map[string]string // type, name, version
	responses []*discoveryv3.DeltaDiscoveryResponse
	unacked   int
	maxUnack  int
	err       error
	changed   chan struct{}
	// answer decides on each response: "" acknowledges, another text refuses, and Hold leaves it unanswered until
	// Release. Nil acknowledges everything.
	answer  func(*discoveryv3.DeltaDiscoveryResponse) string
	waiting []*discoveryv3.DeltaDiscoveryResponse
}

type stream interface {
	Send(*discoveryv3.DeltaDiscoveryRequest) error
	Recv() (*discoveryv3.DeltaDiscoveryResponse, error)
}

// Hold as an answer leaves a response unanswered.
const Hold = "hold"

// Connect opens a stream to a server at addr as the given node. The answer function may be nil.
func Connect(t testing.TB, addr string, node *corev3.Node, answer func(*discoveryv3.DeltaDiscoveryResponse) string) *Proxy {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	ads, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	return begin(t, conn, node, ads, cancel, answer, &discoveryv3.DeltaDiscoveryRequest{
		Node: node, TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	})
}

// Lane opens the stream of a prefetch slot beside the main one.
func (p *Proxy) Lane(slot string, answer func(*discoveryv3.DeltaDiscoveryResponse) string) *Proxy {
	p.t.Helper()
	return p.open(p.node, slot, answer)
}

// Stream opens a stream for one slot, of any node, on the proxy's connection. It acknowledges everything.
func (p *Proxy) Stream(node *corev3.Node, slot string) *Proxy {
	p.t.Helper()
	return p.open(node, slot, nil)
}

func (p *Proxy) open(node *corev3.Node, slot string, answer func(*discoveryv3.DeltaDiscoveryResponse) string) *Proxy {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ecds, err := extensionv3.NewExtensionConfigDiscoveryServiceClient(p.conn).DeltaExtensionConfigs(ctx)
	if err != nil {
		cancel()
		p.t.Fatal(err)
	}
	return begin(p.t, p.conn, node, ecds, cancel, answer, &discoveryv3.DeltaDiscoveryRequest{
		Node: node, TypeUrl: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", ResourceNamesSubscribe: []string{slot},
	})
}

func begin(t testing.TB, conn *grpc.ClientConn, node *corev3.Node, s stream, cancel context.CancelFunc,
	answer func(*discoveryv3.DeltaDiscoveryResponse) string, first *discoveryv3.DeltaDiscoveryRequest,
) *Proxy {
	p := &Proxy{
		t: t, conn: conn, node: node, stream: s, cancel: cancel, held: map[string]map[string]string{},
		changed: make(chan struct{}, 1), answer: answer,
	}
	p.mustSend(first)
	go p.receive()
	t.Cleanup(cancel)
	return p
}

// Subscribe asks for resources of a type; initial are the versions that a reconnecting proxy holds (may be nil).
func (p *Proxy) Subscribe(typeURL string, names []string, initial map[string]string) {
	p.t.Helper()
	p.mustSend(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURL, ResourceNamesSubscribe: names, InitialResourceVersions: initial})
}

// Close ends the stream.
func (p *Proxy) Close() { p.cancel() }

func (p *Proxy) mustSend(r *discoveryv3.DeltaDiscoveryRequest) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.stream.Send(r); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Proxy) receive() {
	for {
		r, err := p.stream.Recv()
		p.mu.Lock()
		if err != nil {
			p.err = err
			p.signal()
			p.mu.Unlock()
			return
		}
		p.responses = append(p.responses, r)
		p.unacked++
		p.maxUnack = max(p.maxUnack, p.unacked)
		answer := ""
		if p.answer != nil {
			answer = p.answer(r)
		}
		if answer == Hold {
			p.waiting = append(p.waiting, r)
		} else {
			p.reply(r, answer)
		}
		p.signal()
		p.mu.Unlock()
	}
}

// Release answers the oldest held response: "" acknowledges it. It tells whether there was one.
func (p *Proxy) Release(answer string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return false
	}
	r := p.waiting[0]
	p.waiting = p.waiting[1:]
	p.reply(r, answer)
	return true
}

func (p *Proxy) reply(r *discoveryv3.DeltaDiscoveryResponse, nack string) {
	p.unacked--
	req := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.TypeUrl, ResponseNonce: r.Nonce}
	if nack != "" {
		req.ErrorDetail = &status.Status{Code: 13, Message: nack}
	} else {
		byName := p.held[r.TypeUrl]
		if byName == nil {
			byName = map[string]string{}
			p.held[r.TypeUrl] = byName
		}
		for _, res := range r.Resources {
			byName[res.Name] = res.Version
		}
		for _, n := range r.RemovedResources {
			delete(byName, n)
		}
	}
	_ = p.stream.Send(req) // a broken stream shows up in receive
}

func (p *Proxy) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Responses are all responses of a type so far.
func (p *Proxy) Responses(typeURL string) []*discoveryv3.DeltaDiscoveryResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*discoveryv3.DeltaDiscoveryResponse
	for _, r := range p.responses {
		if r.TypeUrl == typeURL {
			out = append(out, r)
		}
	}
	return out
}

// Held are the acknowledged versions of a type by name.
func (p *Proxy) Held(typeURL string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]string{}
	for n, v := range p.held[typeURL] {
		out[n] = v
	}
	return out
}

// MaxUnacknowledged is the largest number of responses that were unanswered at one time.
func (p *Proxy) MaxUnacknowledged() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.maxUnack
}

// Err is how the stream ended, nil while it is open.
func (p *Proxy) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Wait waits until the condition holds, looking again after every message.
func (p *Proxy) Wait(limit time.Duration, what string, condition func() bool) {
	p.t.Helper()
	end := time.After(limit)
	for !condition() {
		select {
		case <-p.changed:
		case <-time.After(10 * time.Millisecond):
		case <-end:
			p.t.Fatalf("%s: not within %s", what, limit)
		}
	}
}
