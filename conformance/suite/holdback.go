package suite

import (
	"net"
	"sync"

	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
)

// HoldBack stands between a proxy and the controller, and can keep what the controller says to itself for a while.
type HoldBack struct {
	address string
	mu      sync.Mutex
	// open is closed while everything passes.
	open chan struct{}
}

// HoldBack makes one that lets everything pass at first.
func (w *World) HoldBack() *HoldBack {
	w.t.Helper()
	h := &HoldBack{open: make(chan struct{})}
	close(h.open)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.t.Cleanup(func() {
		h.Release()
		_ = l.Close()
	})
	h.address = l.Addr().String()
	go netns.Serve(l, func() (net.Conn, error) {
		conn, err := net.Dial("tcp", xdsAddress)
		return heldConn{conn, h}, err
	})
	return h
}

// Hold keeps back what the controller says from now on.
func (h *HoldBack) Hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = make(chan struct{})
}

// Release lets everything pass that was kept back, and what comes.
func (h *HoldBack) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.open:
	default:
		close(h.open)
	}
}

// heldConn is a connection to the controller.
type heldConn struct {
	net.Conn
	h *HoldBack
}

// Read gives on what the controller said, once it may pass.
func (c heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.h.mu.Lock()
	open := c.h.open
	c.h.mu.Unlock()
	<-open
	return n, err
}
