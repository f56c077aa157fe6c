package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// caller asks one Service through the waypoint, as ztunnel does for a client: over connections that begin with a PROXY header
// (version 2) with the Service's own address.
type caller struct {
	service   netip.AddrPort
	transport *http.Transport
}

func newCaller(service netip.AddrPort) *caller {
	c := &caller{service: service}
	c.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", meshAddress+":15088")
		if err != nil {
			return nil, err
		}
		header := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 12, 10, 1, 2, 3)
		to := service.Addr().As4()
		header = append(header, to[:]...)
		header = binary.BigEndian.AppendUint16(header, 40000)
		header = binary.BigEndian.AppendUint16(header, service.Port())
		if _, err := conn.Write(header); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}}
	return c
}

// ask sends a request and gives the version that a plugin told, "" if it did not.
func (c *caller) ask(plugin string) (version string, err error) {
	response, err := (&http.Client{Transport: c.transport, Timeout: 15 * time.Second}).Get("http://" + c.service.String() + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.Header.Get("x-plugin-version-" + plugin), err
}

func (c *caller) close() { c.transport.CloseIdleConnections() }

// expired ends the program when something takes longer than the limit of a broken run.
func (h *host) expired(begin time.Time, what string) {
	if time.Since(begin) > startLimit {
		h.Fatalf("%s: not within %s", what, startLimit)
	}
}
