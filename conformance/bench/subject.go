package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
)

const (
	// pause lets a change come to rest before the next.
	pause = 50 * time.Millisecond
	// rest lets what follows a row of changes end, the writing of status above all.
	rest = 1500 * time.Millisecond
	// limit ends a broken run.
	limit = time.Minute
)

// subject is a control plane with proxies of one Gateway.
type subject struct {
	*plane
	fleets []*fakeproxy.Fleet
}

// connect starts n proxies and waits until a change is at all of them.
func (p *plane) connect(n int) *subject {
	s := &subject{plane: p}
	s.more(n)
	return s
}

// more connects n further proxies.
func (s *subject) more(n int) {
	fleet, err := fakeproxy.StartFleet(context.Background(), n, s.proxy(fmt.Sprintf("proxy-%d", len(s.fleets)), s.plugin))
	s.w.h.check(err)
	s.fleets = append(s.fleets, fleet)
	for range 5 { // until the module is known to run everywhere
		s.change()
	}
	time.Sleep(rest)
}

func (s *subject) end() {
	for _, f := range s.fleets {
		f.Stop()
	}
}

// times are how long changes took.
type times struct{ api, first, last []time.Duration }

func (t *times) add(o times) {
	t.api, t.first, t.last = append(t.api, o.api...), append(t.first, o.first...), append(t.last, o.last...)
}

// change makes one change and waits for it at all proxies. Times are from the start of the call of the API.
func (s *subject) change() times {
	mark := s.w.mark()
	for _, f := range s.fleets {
		f.Expect(mark)
	}
	begin := time.Now()
	api, err := s.w.patch(s.plugin, mark)
	s.w.h.check(err)
	t := times{api: []time.Duration{api}}
	var first, last time.Duration
	for i, f := range s.fleets {
		a, b, err := f.Wait(limit)
		s.w.h.check(err)
		if d := a.Sub(begin); i == 0 || d < first {
			first = d
		}
		last = max(last, b.Sub(begin))
	}
	t.first, t.last = append(t.first, first), append(t.last, last)
	time.Sleep(pause)
	return t
}

// changes makes n changes, one after the other, and tells the CPU of each with all that it leads to.
func (s *subject) changes(n int) (times, time.Duration) {
	var t times
	before := s.usage().cpu
	for range n {
		t.add(s.change())
	}
	time.Sleep(rest)
	return t, (s.usage().cpu - before) / time.Duration(n)
}

// received is what all proxies were sent.
func (s *subject) received() (sum fakeproxy.Received) {
	for _, f := range s.fleets {
		for _, p := range f.Proxies {
			r := p.Received()
			sum.Messages, sum.Bytes, sum.ResourceBytes = sum.Messages+r.Messages, sum.Bytes+r.Bytes, sum.ResourceBytes+r.ResourceBytes
		}
	}
	return sum
}

// unrelated makes n changes of plugins of other Gateways and tells the CPU of each, and what it had the proxies sent.
func (s *subject) unrelated(n int) (time.Duration, fakeproxy.Received) {
	got, before := s.received(), s.usage().cpu
	for i := range n {
		_, err := s.w.patch(other(i%(s.w.size.plugins-2)), s.w.mark())
		s.w.h.check(err)
		time.Sleep(pause) // or statuses would wait for their turn, and be written after the end
	}
	time.Sleep(rest)
	cpu := (s.usage().cpu - before) / time.Duration(n)
	now := s.received()
	return cpu, fakeproxy.Received{
		Messages: now.Messages - got.Messages, Bytes: now.Bytes - got.Bytes, ResourceBytes: now.ResourceBytes - got.ResourceBytes,
	}
}

// background changes plugins of other Gateways, perSecond of them, until it is stopped.
func (w *world) background(perSecond int) (stop func()) {
	end, done := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-end:
				done <- nil
				return
			case <-tick.C:
			}
			if _, err := w.patch(other(i*7%(w.size.plugins-2)), w.mark()); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() { close(end); w.h.check(<-done) }
}

// alternate makes changes of several subjects in turns, so that what else the machine does meets all alike. CPU is the median
// of the rounds.
func alternate(rounds, each int, subjects ...*subject) ([]times, []time.Duration) {
	all := make([]times, len(subjects))
	cpus := make([][]time.Duration, len(subjects))
	for range rounds {
		for i, s := range subjects {
			t, cpu := s.changes(each)
			all[i].add(t)
			cpus[i] = append(cpus[i], cpu)
		}
	}
	out := make([]time.Duration, len(subjects))
	for i := range cpus {
		out[i] = quantile(cpus[i], 0.5)
	}
	return all, out
}

func quantile(list []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(list))
	return s[int(q*float64(len(s)-1)+0.5)]
}
