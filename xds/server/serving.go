package server

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SetServing opens and shuts the gate. While it is shut (a replica that lost the API server knows nothing for sure), new
// streams are refused with Unavailable, so that a proxy tries another replica, and connected proxies are sent nothing;
// what they acknowledge and refuse is still taken. Opened again, sessions go on where they were. A server begins open.
//
// A response that is being written at that very moment still goes out, and so does what waits for a slow client (outbox): it
// was decided before. A refused proxy's connection is closed soon (GRPCOptions), else it would never reach another replica.
func (s *Server) SetServing(serving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut.Swap(!serving) == !serving {
		return
	}
	for _, sess := range s.sessions {
		sess.poke()
	}
}

// refuseStream is why no stream is taken now, nil if streams are.
func (s *Server) refuseStream() error {
	if s.shut.Load() {
		return status.Error(codes.Unavailable, "this replica of wasmpoint does not serve: it has lost the API server; connect again, which may reach another one")
	}
	return nil
}

// paused tells that nothing may be sent now. The time that a session was paused is no time that a proxy let pass.
func (s *session) paused(now time.Time) bool {
	if s.server.shut.Load() {
		if s.pausedAt.IsZero() {
			s.pausedAt = now
		}
		return true
	}
	if !s.pausedAt.IsZero() {
		s.slots.known.extend(now.Sub(s.pausedAt))
		s.pausedAt = time.Time{}
	}
	return false
}
