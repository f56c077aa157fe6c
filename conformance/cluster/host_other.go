//go:build !linux

package cluster

// host is 127.0.0.1: other systems have no further loopback addresses.
func host() string { return "127.0.0.1" }
