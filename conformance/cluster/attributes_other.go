//go:build !linux

package cluster

import "syscall"

// processAttributes is empty: only Linux has a parent-death signal. Elsewhere, processes may outlive a killed test.
func processAttributes() *syscall.SysProcAttr { return nil }

// host is 127.0.0.1: other systems have no further loopback addresses.
func host() string { return "127.0.0.1" }
