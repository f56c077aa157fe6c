//go:build unix && !linux

package proxies

import "syscall"

// processAttributes gives a process its own group. Systems other than Linux have no parent-death signal: there, Envoy
// may outlive a crash of this process.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
