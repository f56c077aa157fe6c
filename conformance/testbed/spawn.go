package testbed

import (
	"os/exec"
	"runtime"
	"sync"
)

// Spawn is cmd.Start for what must not outlive the test program, also when that panics or is killed.
//
// It starts processes from one OS thread that never ends: the kernel sends the parent-death signal when the thread that started
// a process ends, and Go ends threads as it likes; so does conformance/node, whose threads enter namespaces. Envoy asks for such
// a signal by itself unless it runs with --disable-hot-restart, so no Envoy of a test may be started in another way.
func Spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = processAttributes()
	r := spawnRequest{cmd, make(chan error, 1)}
	spawner() <- r
	return <-r.result
}

type spawnRequest struct {
	cmd    *exec.Cmd
	result chan error
}

var spawner = sync.OnceValue(func() chan<- spawnRequest {
	requests := make(chan spawnRequest)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.result <- r.cmd.Start()
		}
	}()
	return requests
})
