package server

import (
	"context"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/xds/names"
)

// laneOf is the prefetch slot that a stream is opened for, "" for other streams.
func laneOf(first *discoveryv3.DeltaDiscoveryRequest, gateway types.NamespacedName) string {
	if first.TypeUrl != TypeExtensionConfig || len(first.ResourceNamesSubscribe) != 1 {
		return ""
	}
	n, err := names.ParseSlot(first.ResourceNamesSubscribe[0])
	if err != nil || n.Kind != names.KindPrefetch || n.Scope.Gateway != gateway {
		return ""
	}
	return first.ResourceNamesSubscribe[0]
}

func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// serveLane serves a prefetch slot's own stream: its session is the proxy's main stream, which does all the deciding.
func (s *Server) serveLane(stream deltaStream, first *discoveryv3.DeltaDiscoveryRequest, gateway types.NamespacedName, lane string) error {
	sess, err := s.sessionOf(stream.Context(), gateway, first.Node.GetId())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(stream.Context())
	defer end()
	conn := &laneConn{name: lane, stream: stream, end: end}
	sess.post(func() error { return sess.slots.lane.attach(conn) })
	defer sess.post(func() error { sess.slots.lane.detach(conn); return nil })
	received := make(chan error, 1)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			sess.post(func() error { sess.answered(r); return nil })
		}
	}()
	select {
	case err := <-received:
		return err
	case <-ctx.Done():
	case <-sess.ended:
	}
	return status.Error(codes.Aborted, "the proxy's main stream ended; open this one again")
}

// sessionOf finds the main stream of the proxy that opened a lane: the one on the same connection (Envoy sends all its
// streams to one cluster over one), else the latest of the same node. After a restart of the controller the lane may
// come first, so it waits.
func (s *Server) sessionOf(ctx context.Context, gateway types.NamespacedName, node string) (*session, error) {
	peer := peerOf(ctx)
	for {
		var found *session
		s.mu.Lock()
		joined := s.joined
		for _, sess := range s.sessions {
			if sess.gateway != gateway || sess.node != node && sess.peer != peer {
				continue
			}
			if found == nil || sess.peer == peer || found.peer != peer && sess.number > found.number {
				found = sess
			}
		}
		s.mu.Unlock()
		if found != nil {
			return found, nil
		}
		select {
		case <-joined:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
