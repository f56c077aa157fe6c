package testbed

import (
	"os/exec"
	"runtime"
	"testing"
	"time"
)

func TestAProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		started <- Spawn(cmd)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Errorf("ended: %v", err)
	case <-time.After(500 * time.Millisecond):
		_ = cmd.Process.Kill()
		<-ended
	}
}
