package main

import (
	"os"
	"sync"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
)

// plane is a control plane in this process or in a child.
type plane interface {
	change(mark string) error
	unrelated(i int) error
	usage() (usage, error)
	stop()
}

// plane starts a control plane and tells how proxies connect to it.
func (r run) plane(kind string) (plane, fakeproxy.Config, error) {
	if r.together {
		c, addr, stop, err := start(kind)
		if err != nil {
			return nil, fakeproxy.Config{}, err
		}
		proxy := c.proxy()
		proxy.Addr = addr
		return &here{c, stop}, proxy, nil
	}
	c, err := startChild(kind)
	if err != nil {
		return nil, fakeproxy.Config{}, err
	}
	proxy := newOurs().proxy()
	if kind == "floor" {
		proxy = newFloor().proxy()
	}
	proxy.Addr = c.addr
	return &locked{child: c}, proxy, nil
}

// here is a control plane in this process.
type here struct {
	c    controlPlane
	halt func()
}

func (h *here) change(mark string) error { h.c.change(mark); return nil }
func (h *here) unrelated(i int) error    { h.c.unrelated(i); return nil }
func (h *here) usage() (usage, error)    { return usageOf(os.Getpid()) }
func (h *here) stop()                    { h.halt() }

// locked is a child that takes one command at a time.
type locked struct {
	*child
	mu sync.Mutex
}

func (l *locked) change(mark string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.child.change(mark)
}

func (l *locked) unrelated(i int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.child.unrelated(i)
}

func (l *locked) usage() (usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.child.usage()
}
