package proxies

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one OS thread that lives as long as all of them. The kernel sends the parent-death
// signal when the thread that started a process ends, and Go ends and moves threads as it likes: started from any
// goroutine, an Envoy could be killed at any moment.
type spawner struct {
	requests chan spawnRequest
	done     chan struct{}
}

type spawnRequest struct {
	cmd    *exec.Cmd
	result chan error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer close(s.done)
		for r := range s.requests {
			r.result <- r.cmd.Start()
		}
		// Without UnlockOSThread the thread ends here with its goroutine. No process is left by now.
	}()
	return s
}

// start is cmd.Start on the spawner's thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = processAttributes()
	r := spawnRequest{cmd: cmd, result: make(chan error, 1)}
	s.requests <- r
	return <-r.result
}

// close must be called only when every process has ended.
func (s *spawner) close() {
	close(s.requests)
	<-s.done
}
