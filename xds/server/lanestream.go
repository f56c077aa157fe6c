package server

import (
	"context"
	"errors"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/peer"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// laneOf is the prefetch slot that a stream is opened for, "" for other streams.
func laneOf(first *discoveryv3.DeltaDiscoveryRequest, gateway types.NamespacedName) string {
	if first.TypeUrl != TypeExtensionConfig || len(first.ResourceNamesSubscribe) != 1 {
		return ""
	}
	n, err := names.ParseSlot(first.ResourceNamesSubscribe[0])
	if err != nil || n.Kind != names.KindPrefetch || n.External != model.IsWorkload(gateway) || !n.External && n.Scope.Gateway != gateway {
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

// serveLane serves a prefetch slot's own stream: a session of the proxy, its main stream, does all the deciding. After a
// restart of the controller the lane may come before the session, and it may outlive it: then it waits for the next one.
func (s *Server) serveLane(stream deltaStream, first *discoveryv3.DeltaDiscoveryRequest, gateway types.NamespacedName, lane string) error {
	conn := &laneConn{
		name: lane, stream: stream, gateway: gateway, node: first.Node.GetId(), peer: peerOf(stream.Context()), number: s.ids.Add(1),
		presented: first.InitialResourceVersions[lane],
	}
	if n, err := names.ParseSlot(lane); err == nil {
		conn.slot = n.Of
	}
	s.mu.Lock()
	s.lanes[conn] = struct{}{}
	s.place(conn)
	s.mu.Unlock()
	defer s.laneEnded(conn)
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if sess := conn.session.Load(); sess != nil {
			sess.do(work{lane: r})
		}
	}
}

// laneEnded takes a lane that ended from its session, which may have use for another one.
func (s *Server) laneEnded(conn *laneConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lanes, conn)
	if sess := conn.session.Load(); sess != nil {
		s.part(conn, sess)
		s.adopt(sess)
	}
}

// orphan leaves the lane of a session that ended to another one of its proxy, which may be there already. The caller holds
// the lock, and the session is not among the sessions any more.
func (s *Server) orphan(ended *session) {
	if conn := ended.laneConn; conn != nil {
		s.part(conn, ended)
		s.place(conn)
	}
}

// adopt gives a session the best of the lanes that are its proxy's: those that nobody has, and those on its own connection
// that a session on another one took while this one was not there. The caller holds the lock.
func (s *Server) adopt(sess *session) {
	var robbed []*session
	for conn := range s.lanes {
		if !conn.of(sess) {
			continue
		}
		if has := conn.session.Load(); has != nil && (has == sess || !conn.near(sess) || conn.near(has)) {
			continue
		} else if has != nil {
			s.part(conn, has)
			robbed = append(robbed, has)
		}
		s.place(conn)
	}
	for _, other := range robbed { // it has no lane on its own connection, or it had that one
		if other.laneConn == nil {
			s.adopt(other)
		}
	}
}

// place gives a lane that nobody has to the session that it belongs to, if there is one. The lane that this one had, if it
// is on another connection or older, is left to others. The caller holds the lock.
func (s *Server) place(conn *laneConn) {
	sess := s.sessionFor(conn)
	if sess == nil {
		return
	}
	if old := sess.laneConn; old != nil {
		if conn.near(sess) == old.near(sess) && conn.number < old.number || old.near(sess) && !conn.near(sess) {
			return
		}
		s.part(old, sess)
	}
	sess.laneConn = conn
	conn.session.Store(sess)
	sess.leave(work{do: func() { sess.slots.lane.attach(conn) }})
}

// part takes a lane from a session. The caller holds the lock.
func (s *Server) part(conn *laneConn, sess *session) {
	sess.laneConn = nil
	conn.session.Store(nil)
	sess.leave(work{do: func() { sess.slots.lane.detach(conn) }})
}

// sessionFor is the main stream of a lane's proxy: the one on the same connection (Envoy sends all its streams to one
// cluster over one). Else it is the latest of the same node that has no lane: two Envoys may have the same node id, as in a
// hot restart, and neither is to get the other's. The caller holds the lock.
func (s *Server) sessionFor(conn *laneConn) *session {
	var found *session
	for _, sess := range s.sessions {
		if !conn.of(sess) || !conn.near(sess) && sess.laneConn != nil {
			continue
		}
		if found == nil || conn.near(sess) && !conn.near(found) || conn.near(sess) == conn.near(found) && sess.number > found.number {
			found = sess
		}
	}
	return found
}

// of tells that a lane may be of a session's proxy, and for its slots. Many proxies may have one peer address, behind a proxy that shares its
// connections, so it only counts when there is no node id.
func (c *laneConn) of(sess *session) bool {
	return c.gateway == sess.gateway && c.node == sess.node && (c.node != "" || c.near(sess)) && (c.slot == "" || c.slot == sess.only)
}

// near tells that a lane and a session are on one connection.
func (c *laneConn) near(sess *session) bool { return c.peer == sess.peer }

// errLaneLost tells that a lane is another session's by now.
var errLaneLost = errors.New("another session has the lane")

// send writes to the lane for a session, if it still has it.
func (c *laneConn) send(sess *session, r *discoveryv3.DeltaDiscoveryResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Load() != sess {
		return errLaneLost
	}
	return c.stream.SendMsg(r)
}
