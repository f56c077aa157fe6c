//go:build !unix

package proxies

import "syscall"

// processAttributes is empty: there is no Envoy for such a system, only the other commands of wasmpoint.
func processAttributes() *syscall.SysProcAttr { return nil }
