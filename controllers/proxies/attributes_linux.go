package proxies

import "syscall"

// processAttributes gives a process its own group, so that Ctrl-C reaches it only through an orderly stop, and has the
// kernel kill it when the spawner's thread dies, so that no Envoy outlives a crash of this process.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
