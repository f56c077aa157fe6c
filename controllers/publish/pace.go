package publish

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace bounds the rate of writes. Who has no room gets a time, and asks again then: what is to be written is computed
// anew, because a status that waited for seconds may not be true any more.
//
// When everything is marked at once (a new leader, or a new version that words a message otherwise), these bulk writes
// use at most half of the rate, so that the status of a plugin that somebody just changed does not wait behind them.
type pace struct {
	all, bulk *rate.Limiter

	mu    sync.Mutex
	slots map[item]slot
}

type slot struct {
	*rate.Reservation
	at time.Time
}

func newPace(limit rate.Limit, burst int) *pace {
	return &pace{
		all: rate.NewLimiter(limit, burst), bulk: rate.NewLimiter(limit/2, max(1, burst/2)), slots: map[item]slot{},
	}
}

// ask gives zero when the object may be written now, and otherwise how long to wait before asking again.
func (p *pace) ask(it item, bulk bool, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, has := p.slots[it]
	if !has {
		limiter := p.all
		if bulk {
			limiter = p.bulk
		}
		r := limiter.ReserveN(now, 1)
		s = slot{r, now.Add(r.DelayFrom(now))}
	}
	if wait := s.at.Sub(now); wait > 0 {
		p.slots[it] = s
		return wait
	}
	delete(p.slots, it)
	if bulk {
		p.all.ReserveN(now, 1) // it counts, and does not wait a second time
	}
	return 0
}

// give returns the place of an object that is not to be written after all.
func (p *pace) give(it item, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, has := p.slots[it]; has {
		s.CancelAt(now)
		delete(p.slots, it)
	}
}
