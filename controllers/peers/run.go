package peers

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wasmpoint/wasmpoint/xds/acks"
)

// Sink takes the proxies of the other replicas. Calls come one after another.
type Sink interface {
	// SetPeer replaces what is known of a replica. The proxies are sorted by number; they are not to be changed.
	SetPeer(replica string, proxies []acks.Proxy)
	// DropPeer says that a replica is gone.
	DropPeer(replica string)
}

// Options configure Run. Self, Peers and Sink are needed.
type Options struct {
	// Self is the name of this replica. Its address may be among the peers; it is found out and left alone.
	Self string
	// Peers are the addresses (host:port) of all replicas.
	Peers func() []string
	// Changed tells that Peers gives others now; they are asked for every 2 s anyway. May be nil.
	Changed <-chan struct{}
	// TLS is the client side of pki's Peer; nil means plain text.
	TLS    *tls.Config
	Sink   Sink
	Logger *slog.Logger
	// Complete is called once, when every replica of the first list gave its state, or had Grace to do so. Before, the count
	// is too low. May be nil.
	Complete func()
	// Grace and Silence are the package's if zero.
	Grace, Silence time.Duration
}

// relist is how often the peers are asked for.
const relist = 2 * time.Second

// Run keeps a stream to every other replica until ctx ends, and drops all of them then. It is the leader's.
func Run(ctx context.Context, o Options) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Grace == 0 {
		o.Grace = Grace
	}
	if o.Silence == 0 {
		o.Silence = Silence
	}
	transport := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: o.TLS, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: o.Silence,
		DisableCompression: true, // encoding/json on both sides is the cost, not the bytes
	}
	defer transport.CloseIdleConnections()
	r := &runner{
		o: o, client: &http.Client{Transport: transport},
		replicas: map[string]*replica{}, pending: map[string]struct{}{}, following: map[string]context.CancelFunc{},
	}
	var streams sync.WaitGroup
	defer func() {
		streams.Wait()
		r.end()
	}()
	late := time.AfterFunc(o.Grace, r.allSettled)
	defer late.Stop()
	for first := true; ; first = false {
		r.follow(ctx, &streams, o.Peers(), first)
		select {
		case <-ctx.Done():
			return
		case <-o.Changed:
		case <-time.After(relist):
		}
	}
}

// runner is the state of Run.
type runner struct {
	o      Options
	client *http.Client
	// following is touched by Run alone.
	following map[string]context.CancelFunc

	mu       sync.Mutex
	replicas map[string]*replica
	// pending are the addresses of the first list that were not heard of yet; complete, that Complete was called.
	pending  map[string]struct{}
	complete bool
	ended    bool
}

// follow starts a stream to every new address and ends those to addresses that are not listed any more.
func (r *runner) follow(ctx context.Context, streams *sync.WaitGroup, addresses []string, first bool) {
	listed := make(map[string]struct{}, len(addresses))
	for _, a := range addresses {
		listed[a] = struct{}{}
	}
	if first {
		r.mu.Lock()
		for a := range listed {
			r.pending[a] = struct{}{}
		}
		r.mu.Unlock()
		r.settled("")
	}
	for a, cancel := range r.following {
		if _, ok := listed[a]; !ok {
			cancel()
			delete(r.following, a)
			r.settled(a)
		}
	}
	for a := range listed {
		if _, ok := r.following[a]; ok {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r.following[a] = cancel
		streams.Go(func() {
			defer cancel()
			(&stream{runner: r, address: a, log: r.o.Logger.With("peer", a)}).keep(ctx)
		})
	}
}

// settled notes that an address was heard of.
func (r *runner) settled(address string) {
	r.mu.Lock()
	delete(r.pending, address)
	done := len(r.pending) == 0
	r.mu.Unlock()
	if done {
		r.allSettled()
	}
}

func (r *runner) allSettled() {
	r.mu.Lock()
	first := !r.complete && !r.ended
	r.complete = true
	r.mu.Unlock()
	if first && r.o.Complete != nil {
		r.o.Complete()
	}
}
