package echo

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
)

// GRPC is a running gRPC backend with the health service: Check is a unary call, Watch a stream.
type GRPC struct {
	bookinfo.Counter
	// Health sets what the service answers; "" is SERVING from the start.
	Health *health.Server
	addr   string
	server *grpc.Server
}

// StartGRPC serves on a loopback HOST:PORT; port 0 or "" takes a free one.
func StartGRPC(addr string) (*GRPC, error) {
	l, err := bookinfo.Listen(addr)
	if err != nil {
		return nil, err
	}
	g := &GRPC{Health: health.NewServer(), addr: l.Addr().String()}
	g.server = grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			g.count(ctx)
			return next(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			g.count(s.Context())
			return next(srv, s)
		}),
	)
	healthv1.RegisterHealthServer(g.server, g.Health)
	go func() { _ = g.server.Serve(l) }()
	return g, nil
}

func (g *GRPC) count(ctx context.Context) {
	g.Add(metadata.ValueFromIncomingContext(ctx, bookinfo.MarkHeader))
}

// Addr is where the backend listens, HOST:PORT.
func (g *GRPC) Addr() string { return g.addr }

// Close ends the streams and stops the backend.
func (g *GRPC) Close() error {
	g.Health.Shutdown()
	g.server.Stop()
	return nil
}
