// Package server is the xDS server: delta ADS, one stream per proxy, written on go-control-plane's protocol types.
//
// It is our own and not go-control-plane's delta server, because that one answers a whole subscription in one response
// and forgets what a NACK was about. Here every slot travels alone, at most four responses are unacknowledged, and each
// slot's next content depends on what this very proxy fetched, runs and refused (package delivery).
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	extensionv3 "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

// Options configure a Server. All fields but Admit, Logger, Now and Hooks are needed.
type Options struct {
	Hub      *cache.Hub
	Registry *acks.Registry
	// Admit looks at what a stream shows of itself, before anything that its client says is read. An error is as Identify's. Nil
	// admits all.
	Admit func(ctx context.Context) error
	// Identify tells whose proxy a stream is. An error ends the stream with that text, and with its code if it is a gRPC status.
	Identify func(ctx context.Context, node *corev3.Node) (types.NamespacedName, error)
	// ModuleURL gives the address of a module; query goes into it, and its QueryProxy comes back through
	// Served.
	ModuleURL func(digest string, query url.Values) string
	// ModuleCluster is the static cluster of the module server in the proxies' bootstrap.
	ModuleCluster string
	// WaitForModule is how long a plugin may wait for a proxy's own fetch before its fail strategy acts; 30 s by default.
	WaitForModule time.Duration
	// WaitForFirst is how long a stream may be open before its first message; DefaultWaitForFirst if zero.
	WaitForFirst time.Duration
	Logger       *slog.Logger
	Now          func() time.Time
	Hooks        Hooks
}

// Server answers streams. Register it with Register.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	extensionv3.UnimplementedExtensionConfigDiscoveryServiceServer
	opts Options
	ids  atomic.Uint64
	// shut tells that the gate is shut (SetServing).
	shut   atomic.Bool
	epochs *epochs
	pool   pool

	mu sync.Mutex
	// sessions are the open ones by their secrets.
	sessions map[string]*session
	fleets   map[types.NamespacedName]*fleet
	// lanes are the open prefetch lanes.
	lanes map[*laneConn]struct{}
}

// DefaultWaitForModule is how long a plugin waits for its module before its fail strategy acts (the design's 30 s).
const DefaultWaitForModule = 30 * time.Second

// New makes a server.
func New(o Options) *Server {
	if o.Admit == nil {
		o.Admit = func(context.Context) error { return nil }
	}
	if o.WaitForFirst == 0 {
		o.WaitForFirst = DefaultWaitForFirst
	}
	if o.WaitForModule == 0 {
		o.WaitForModule = DefaultWaitForModule
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		opts: o, sessions: map[string]*session{}, fleets: map[types.NamespacedName]*fleet{}, lanes: map[*laneConn]struct{}{},
		epochs: newEpochs(o.Now()),
	}
	// A session's number stands in what is sent in its lane. It never comes again after a restart: Envoy would take the same bytes
	// for what it was sent before, and refused, and acknowledge them without looking.
	s.ids.Store(uint64(o.Now().UnixNano()))
	return s
}

// Register adds delta ADS and delta ECDS to a gRPC server.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s)
	extensionv3.RegisterExtensionConfigDiscoveryServiceServer(g, s)
}

// QueryProxy is the field of ModuleURL's query that names the stream by whose lane the proxy fetches; it is absent elsewhere. It
// is a secret between us and that proxy: who knows it speaks for its fetches.
const QueryProxy = "proxy"

// Served is the module server's word that a proxy's fetch ended; proxy is the QueryProxy of the address. It tells whether the
// stream is one of this server's: else another replica pushes to that proxy, and has to hear of the fetch.
func (s *Server) Served(digest, proxy string, complete bool) bool {
	s.mu.Lock()
	sess := s.sessions[proxy]
	s.mu.Unlock()
	if sess == nil {
		return false
	}
	s.opts.Hooks.fetched(complete)
	sess.served(fetch{digest, complete})
	return true
}

type deltaStream interface {
	Context() context.Context
	SendMsg(m any) error
	Recv() (*discoveryv3.DeltaDiscoveryRequest, error)
}

// DeltaAggregatedResources serves delta ADS (envoy.service.discovery.v3).
func (s *Server) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.serve(stream, "a")
}

// DeltaExtensionConfigs serves delta ECDS alone, for proxies that somebody else programs.
func (s *Server) DeltaExtensionConfigs(stream extensionv3.ExtensionConfigDiscoveryService_DeltaExtensionConfigsServer) error {
	return s.serve(stream, "e")
}

// refusal is the status with which a proxy is refused.
func refusal(err error) *status.Status {
	if st, is := status.FromError(err); is {
		return st
	}
	return status.New(codes.PermissionDenied, err.Error())
}

// serve serves a stream of a kind: a for ADS, e for ECDS.
func (s *Server) serve(stream deltaStream, kind string) error {
	if err := s.opts.Admit(stream.Context()); err != nil {
		why := refusal(err)
		s.opts.Logger.Warn("proxy refused", "peer", peerOf(stream.Context()), "code", why.Code().String(), "error", why.Message())
		return why.Err()
	}
	first, err := firstOf(stream, s.opts.WaitForFirst)
	if err != nil {
		return err
	}
	if err := s.refuseStream(); err != nil {
		return err
	}
	gateway, err := s.opts.Identify(stream.Context(), first.Node)
	if err != nil {
		why := refusal(err)
		s.opts.Logger.Warn("proxy refused", "node", first.Node.GetId(), "code", why.Code().String(), "error", why.Message())
		return why.Err()
	}
	version := envoyVersion(first.Node)
	if err := supported(version); err != nil {
		s.opts.Logger.Warn("proxy refused", "node", first.Node.GetId(), "error", err)
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	if lane := laneOf(first, gateway); lane != "" {
		return s.serveLane(stream, first, gateway, lane)
	}
	number := s.ids.Add(1)
	id := strconv.FormatUint(number, 10)
	connect, only := s.opts.Registry.Connect, onlySlot(first, kind)
	if only != "" {
		connect = s.opts.Registry.ConnectPart
	}
	sess := newSession(s, id, gateway, stream, connect(first.Node.GetId(), gateway, version.String(), s.opts.Now()))
	sess.only = only
	sess.number, sess.node, sess.peer = number, first.Node.GetId(), peerOf(stream.Context())
	sess.epoch = s.epochs.next(kind, streamKey(first, kind))
	sess.fleet = s.join(sess, gateway)
	s.mu.Lock()
	s.sessions[sess.secret] = sess
	s.adopt(sess)
	s.mu.Unlock()
	s.opts.Hooks.connected(1)
	defer func() {
		s.opts.Hooks.connected(-1)
		s.mu.Lock()
		delete(s.sessions, sess.secret)
		s.orphan(sess)
		s.mu.Unlock()
		s.leave(sess, gateway)
		sess.proxy.Disconnect()
	}()
	return sess.serve(first)
}

// onlySlot is the slot for which a stream was opened, "" for one that is for all of a proxy's. Envoy opens a stream for each slot
// whose source is not ADS.
func onlySlot(first *discoveryv3.DeltaDiscoveryRequest, kind string) string {
	if kind != "e" || len(first.ResourceNamesSubscribe) != 1 {
		return ""
	}
	return first.ResourceNamesSubscribe[0]
}

// streamKey names a stream among all of its node: ADS, whatever it asks for first, or delta ECDS for one of its slots.
func streamKey(first *discoveryv3.DeltaDiscoveryRequest, kind string) string {
	key := kind + "\n" + first.Node.GetId()
	if kind == "e" && len(first.ResourceNamesSubscribe) > 0 {
		key += "\n" + first.ResourceNamesSubscribe[0]
	}
	return key
}

// envoyRelease is an Envoy version; zero when the node does not tell.
type envoyRelease struct{ major, minor, patch uint32 }

func (v envoyRelease) String() string {
	if v == (envoyRelease{}) {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch)
}

func envoyVersion(n *corev3.Node) envoyRelease {
	v := n.GetUserAgentBuildVersion().GetVersion()
	return envoyRelease{v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch()}
}

// supported refuses an Envoy that would reject every listener of ours: filter_chain, the content of a slot, is there
// since 1.39.
func supported(v envoyRelease) error {
	if v == (envoyRelease{}) || v.major > 1 || v.minor >= 39 {
		return nil
	}
	return fmt.Errorf("Envoy %s is too old: slots need the filter_chain filter, which Envoy has since 1.39; upgrade the proxy", v)
}
