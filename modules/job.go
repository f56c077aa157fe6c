package modules

import (
	"context"
	"errors"
	"time"

	"github.com/wasmpoint/wasmpoint/modules/fetch"
)

// The back-off: half a second, doubling up to five minutes. Content that was fetched and found wrong is asked for less
// eagerly: only a moved tag or a replaced file can heal it.
const (
	backoffFirst = 500 * time.Millisecond
	backoffSlow  = 15 * time.Second
	backoffMax   = 5 * time.Minute
)

// job is the work for one identity: at most one attempt at a time, again and again until every waiting owner has a result.
// It is guarded by the Manager's lock.
type job struct {
	id      identity
	waiting map[string]*owner
	seq     int // number of the last attempt that began
	running bool
	cancel  context.CancelFunc
	unplan  func() // stops the timer of the next attempt
	// attempts counts failures in a row, err is the last one's.
	attempts int
	err      *fetch.Error
	next     time.Time
	// notBefore is what the source's Retry-After asked for. A new wish does not override it.
	notBefore time.Time
}

func (j *job) stop() {
	if j.cancel != nil {
		j.cancel()
	}
	if j.unplan != nil {
		j.unplan()
	}
}

// join lets an owner wait for a result, and has an attempt begin at once if none is under way. again says that an attempt
// that began earlier is not good enough.
func (m *Manager) join(o *owner, again bool) {
	j := m.jobs[o.id.key]
	if j == nil {
		j = &job{id: o.id, waiting: map[string]*owner{}}
		m.jobs[o.id.key] = j
	}
	o.job, o.after = j, j.seq
	j.waiting[o.name] = o
	switch {
	case !j.running:
		j.attempts = 0
		m.plan(j, j.notBefore.Sub(m.clock.Now()))
	case !again:
		o.after-- // the attempt under way will do
	}
}

// leave ends an owner's waiting; work that nobody waits for is given up.
func (m *Manager) leave(o *owner) {
	j := o.job
	if j == nil {
		return
	}
	o.job = nil
	if j.waiting[o.name] == o {
		delete(j.waiting, o.name)
	}
	if len(j.waiting) == 0 {
		j.stop()
		delete(m.jobs, j.id.key)
	}
}

// plan has the next attempt begin after the delay, in place of an earlier plan.
func (m *Manager) plan(j *job, delay time.Duration) {
	if j.unplan != nil {
		j.unplan()
		j.unplan = nil
	}
	if delay <= 0 {
		j.next = time.Time{}
		m.launch(j)
		return
	}
	j.next = m.clock.Now().Add(delay)
	seq := j.seq
	j.unplan = m.clock.AfterFunc(delay, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.jobs[j.id.key] == j && !j.running && j.seq == seq && !m.closed {
			m.launch(j)
		}
	})
}

// launch begins an attempt.
func (m *Manager) launch(j *job) {
	if m.closed {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.o.AttemptTimeout)
	j.seq++
	j.running, j.cancel, j.unplan = true, cancel, nil
	m.wg.Add(1)
	go func(seq int) {
		defer m.wg.Done()
		defer cancel()
		begun := m.clock.Now()
		res, err := m.attempt(ctx, j.id)
		m.finish(j, seq, begun, res, err)
	}(j.seq)
}

// finish deals with the end of an attempt.
func (m *Manager) finish(j *job, seq int, begun time.Time, res resolution, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[j.id.key] != j || m.closed {
		return // nobody waits any more
	}
	j.running, j.cancel = false, nil
	if err == nil && !m.Has(res.Digest) {
		// The garbage collection was faster; it cannot be next time, as it knows grace again.
		err = &fetch.Error{Kind: fetch.Unavailable, Msg: j.id.req.Location.Shown + ": the module was removed from the store meanwhile"}
	}
	if err != nil {
		m.fail(j, err)
		return
	}
	m.log.Info("module ready", "url", j.id.req.Location.Shown, "digest", res.Digest, "bytes", res.Size, "took", m.clock.Now().Sub(begun).Round(time.Millisecond))
	m.index.Sources[j.id.key] = res
	m.saveSoon()
	j.attempts, j.err, j.next, j.notBefore = 0, nil, time.Time{}, time.Time{}
	for name, o := range j.waiting {
		if o.after >= seq {
			// Asked to look again while this attempt was under way; until then this is better than nothing.
			if o.res == nil {
				o.res = &res
				m.publish(o, true)
			}
			continue
		}
		delete(j.waiting, name)
		o.job, o.res = nil, &res
		m.record(o)
		m.publish(o, true)
	}
	if len(j.waiting) == 0 {
		delete(m.jobs, j.id.key)
		return
	}
	m.launch(j)
}

// fail plans the next attempt after a failed one.
func (m *Manager) fail(j *job, err error) {
	var e *fetch.Error
	if !errors.As(err, &e) {
		e = &fetch.Error{Kind: fetch.Unavailable, Msg: j.id.req.Location.Shown + ": " + err.Error()}
	}
	j.err = e
	delay := m.backoff(j.attempts, e.Kind)
	j.attempts++
	now := m.clock.Now()
	if e.RetryAfter > 0 {
		j.notBefore = now.Add(e.RetryAfter)
		delay = max(delay, e.RetryAfter)
	}
	m.plan(j, delay)
	m.log.Debug("module not fetched", "err", e.Msg, "attempts", j.attempts, "next", delay.Round(time.Millisecond))
	for _, o := range j.waiting {
		m.failed(o, e)
	}
}

// backoff is the delay after so many failures before this one, between half of the nominal value and all of it.
func (m *Manager) backoff(failures int, kind fetch.Kind) time.Duration {
	nominal := backoffFirst
	if kind == fetch.Mismatch || kind == fetch.Invalid {
		nominal = backoffSlow
	}
	nominal = min(nominal<<min(failures, 12), backoffMax)
	return nominal/2 + time.Duration(m.o.Jitter()*float64(nominal/2))
}
