package netns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Serve accepts connections until the listener is closed, and joins each to a new one that dial makes. It returns when
// the listener is closed. A Unix socket is no part of a network namespace, so two of these, one on either side, carry
// connections across.
func Serve(l net.Listener, dial func() (net.Conn, error)) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = in.Close() }()
			out, err := dial()
			if err != nil {
				return // the client sees its connection end, as with a server that is down
			}
			defer func() { _ = out.Close() }()
			Join(in, out)
		}()
	}
}

// Join copies both ways until both have ended. An end of one direction is handed on as such.
func Join(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { copyAndEnd(a, b) })
	both.Go(func() { copyAndEnd(b, a) })
	both.Wait()
}

func copyAndEnd(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close()
		_ = from.Close()
	}
}

// Outside listens on a Unix socket for a relay to a TCP address; the listener's Close ends it.
func Outside(socket, address string) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	go Serve(l, func() (net.Conn, error) { return net.Dial("tcp", address) })
	return l, nil
}

// Within listens on a TCP address inside the namespace for the other half of Outside.
func Within(address, socket string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	probe, err := net.Dial("unix", socket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("relay: %w", err), l.Close())
	}
	_ = probe.Close()
	go Serve(l, func() (net.Conn, error) { return net.Dial("unix", socket) })
	return l, nil
}
