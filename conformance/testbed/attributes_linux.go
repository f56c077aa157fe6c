package testbed

import "syscall"

// processAttributes gives a process its own group, and has the kernel kill it when the spawner's thread dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
