package delivery_test

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"
)

// lanes are the open streams of prefetch lanes, so that a test can break them.
type lanes struct {
	mu   sync.Mutex
	open map[*laneStream]bool
}

type laneStream struct {
	grpc.ServerStream
	ctx context.Context
	end context.CancelFunc
}

func (s *laneStream) Context() context.Context { return s.ctx }

// RecvMsg ends with the context, as it does when the proxy's connection breaks.
func (s *laneStream) RecvMsg(m any) error {
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-received:
		return err
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (l *lanes) intercept(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !strings.HasSuffix(info.FullMethod, "/DeltaExtensionConfigs") {
		return handler(srv, stream)
	}
	ctx, end := context.WithCancel(stream.Context())
	defer end()
	s := &laneStream{ServerStream: stream, ctx: ctx, end: end}
	l.mu.Lock()
	if l.open == nil {
		l.open = map[*laneStream]bool{}
	}
	l.open[s] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, s)
		l.mu.Unlock()
	}()
	return handler(srv, s)
}

// breakAll ends the open streams and tells how many there were.
func (l *lanes) breakAll() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.open {
		s.end()
	}
	return len(l.open)
}
