package echo

import (
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
)

// Banner is what the TCP backend sends before it reads anything.
const Banner = "HELLO\r\n"

// TCP is a running TCP backend in which the server speaks first, as mail servers and MySQL do: it sends Banner and then
// everything that it gets. A proxy that waits for the client's first bytes makes it hang.
type TCP struct {
	listener net.Listener
	conns    openConns
	accepted atomic.Int64
	running  sync.WaitGroup
}

// StartTCP serves on a loopback HOST:PORT; port 0 or "" takes a free one.
func StartTCP(addr string) (*TCP, error) {
	l, err := bookinfo.Listen(addr)
	if err != nil {
		return nil, err
	}
	return ServeTCP(l), nil
}

// ServeTCP serves on a listener, which may be on any address; Close closes it.
func ServeTCP(l net.Listener) *TCP {
	t := &TCP{listener: l}
	t.running.Go(t.accept)
	return t
}

func (t *TCP) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		if !t.conns.add(c) {
			_ = c.Close()
			return
		}
		t.accepted.Add(1)
		t.running.Go(func() {
			defer func() { _ = c.Close() }()
			defer t.conns.remove(c)
			if _, err := io.WriteString(c, Banner); err == nil {
				_, _ = io.Copy(c, c)
			}
		})
	}
}

// Addr is where the backend listens, HOST:PORT.
func (t *TCP) Addr() string { return t.listener.Addr().String() }

// Connections is how many connections were accepted so far.
func (t *TCP) Connections() int { return int(t.accepted.Load()) }

// Close stops the backend and closes its connections.
func (t *TCP) Close() error {
	err := t.listener.Close()
	t.conns.close()
	t.running.Wait()
	return err
}
