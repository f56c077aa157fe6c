//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

var errLinux = errors.New("network and mount namespaces are Linux's: run this on Linux")

// Bridge cannot be had here.
type Bridge struct{}

// Sandbox cannot be had here.
type Sandbox struct{}

// Process cannot be had here.
type Process struct{}

// NewBridge cannot be done here.
func NewBridge(string, netip.Prefix) (*Bridge, error) { return nil, errLinux }

// Address is none.
func (*Bridge) Address() netip.Addr { return netip.Addr{} }

// Close has nothing to do.
func (*Bridge) Close() error { return errLinux }

// Join cannot be done here.
func (*Bridge) Join(netip.Addr, map[string]string) (*Sandbox, error) { return nil, errLinux }

// Close has nothing to do.
func (*Sandbox) Close() error { return errLinux }

// Dial cannot be done here.
func (*Sandbox) Dial(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errLinux }

// Start cannot be done here.
func (*Sandbox) Start(Spec) (*Process, error) { return nil, errLinux }

// Run cannot be done here.
func (*Process) Run(context.Context, []string) (string, error) { return "", errLinux }

// Signal has nobody to reach.
func (*Process) Signal(syscall.Signal) {}

// Exited is never closed.
func (*Process) Exited() <-chan struct{} { return nil }

// PID is none.
func (*Process) PID() int { return 0 }

// Result is none.
func (*Process) Result() (code int, signal int) { return 0, 0 }
