package server

import "sync"

// directLimit is how many unacknowledged bytes a stream may have when another response is written straight to it. gRPC lets a
// writer wait when 64 KiB of a stream are not on the wire; what was acknowledged is.
const directLimit = 48 << 10

// outbox sends a session's responses. As long as little of a stream is unacknowledged, that never waits, and whoever runs the
// session does it; else a goroutine of its own, so that a slow client holds up nobody but itself.
type outbox struct {
	stream deltaStream

	mu      sync.Mutex
	waiting []any
	sending bool
	idle    sync.WaitGroup
}

func (o *outbox) send(m any, unacknowledged int) error {
	o.mu.Lock()
	if !o.sending && unacknowledged <= directLimit {
		o.mu.Unlock() // nobody but the session's one runner comes here
		return o.stream.SendMsg(m)
	}
	o.waiting = append(o.waiting, m)
	if !o.sending {
		o.sending = true
		o.idle.Go(o.drain)
	}
	o.mu.Unlock()
	return nil
}

func (o *outbox) drain() {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			o.waiting, o.sending = nil, false
			o.mu.Unlock()
			return
		}
		m := o.waiting[0]
		o.waiting = o.waiting[1:]
		o.mu.Unlock()
		if o.stream.SendMsg(m) != nil {
			// The stream is broken, which its reader sees as well. Nothing more can be sent.
			o.mu.Lock()
			o.waiting = nil
			o.mu.Unlock()
			return // sending stays set: what comes now is dropped with the session
		}
	}
}

// wait waits until nothing is being sent. The stream has ended by then, so that is soon.
func (o *outbox) wait() { o.idle.Wait() }
