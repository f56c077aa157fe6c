package fakeproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Fleet is many proxies that are the same but for their ids, and a stopwatch: Expect before a change, Wait after it.
type Fleet struct {
	Proxies []*Proxy

	mu      sync.Mutex
	mark    []byte
	missing map[string]bool
	first   time.Time
	last    time.Time
	all     chan struct{}
}

// StartFleet connects n proxies with the ids "ID-0" to "ID-(n-1)". Config.Arrived is called as well.
func StartFleet(ctx context.Context, n int, c Config) (*Fleet, error) {
	f := &Fleet{}
	arrived := c.Arrived
	c.Arrived = func(r Resource) {
		f.arrived(r)
		if arrived != nil {
			arrived(r)
		}
	}
	id := c.ID
	for i := range n {
		c.ID = id + "-" + strconv.Itoa(i)
		p, err := Start(ctx, c)
		if err != nil {
			f.Stop()
			return nil, err
		}
		f.Proxies = append(f.Proxies, p)
	}
	return f, nil
}

// Expect starts waiting for a resource that has the mark in its body, at every proxy.
func (f *Fleet) Expect(mark string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark, f.all = []byte(mark), make(chan struct{})
	f.missing = make(map[string]bool, len(f.Proxies))
	f.first, f.last = time.Time{}, time.Time{}
	for _, p := range f.Proxies {
		f.missing[p.config.ID] = true
	}
}

// Wait waits for what is expected and tells when it was at the first and at the last proxy.
func (f *Fleet) Wait(limit time.Duration) (first, last time.Time, err error) {
	select {
	case <-f.all:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.first, f.last, nil
	case <-time.After(limit):
	}
	errs := make([]error, 0, len(f.Proxies))
	for _, p := range f.Proxies {
		errs = append(errs, p.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	late := fmt.Errorf("%q is not at %d of %d proxies after %s", f.mark, len(f.missing), len(f.Proxies), limit)
	return first, last, errors.Join(append(errs, late)...)
}

func (f *Fleet) arrived(r Resource) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.missing[r.Proxy] || !bytes.Contains(r.Body, f.mark) {
		return
	}
	if f.first.IsZero() {
		f.first = r.At
	}
	f.last = r.At
	delete(f.missing, r.Proxy)
	if len(f.missing) == 0 {
		close(f.all)
	}
}

// Stop ends all proxies.
func (f *Fleet) Stop() {
	for _, p := range f.Proxies {
		p.Stop()
	}
}
