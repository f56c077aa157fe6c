//go:build !linux

package testbed

import "syscall"

// processAttributes is empty: only Linux has a parent-death signal. Elsewhere, processes may outlive a killed test.
func processAttributes() *syscall.SysProcAttr { return nil }
