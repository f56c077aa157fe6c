package server

import (
	"runtime"
	"sync"
)

// pool runs sessions that have something to do. There are as many workers as processors, and none while nothing is to be
// done: a change for a thousand proxies wakes two goroutines and not a thousand. A session never blocks its worker (outbox).
type pool struct {
	mu      sync.Mutex
	queue   []*session
	workers int
}

// ready queues sessions, unless they are queued already.
func (p *pool) ready(sessions ...*session) {
	p.mu.Lock()
	for _, s := range sessions {
		if !s.queued {
			s.queued = true
			p.queue = append(p.queue, s)
		}
	}
	start := min(runtime.GOMAXPROCS(0)-p.workers, len(p.queue))
	p.workers += max(start, 0)
	p.mu.Unlock()
	for range start {
		go p.work()
	}
}

func (p *pool) work() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queue = nil
			p.workers--
			p.mu.Unlock()
			return
		}
		s := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		s.queued = false
		p.mu.Unlock()
		s.run()
	}
}
