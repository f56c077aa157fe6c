package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// process is one running server. Its output goes to a file of which a failed test prints the end.
type process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// start runs a binary; output is added to dir/NAME.log.
func start(t testing.TB, dir, binary string, flags ...string) *process {
	t.Helper()
	p := &process{log: filepath.Join(dir, filepath.Base(binary)+".log"), exited: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	p.cmd = exec.Command(binary, flags...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := testbed.Spawn(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p
}

// kill ends the process at once, as a crash does, and waits for its end. A paused process ends too.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // fails only when it has ended
	<-p.exited
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: signal %s: %v", filepath.Base(p.cmd.Path), s, err)
	}
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// logEnd is the last 30 lines of the log.
func (p *process) logEnd() string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(all), []byte("\n"))
	lines = lines[max(0, len(lines)-30):]
	return fmt.Sprintf("end of %s:\n%s", filepath.Base(p.log), bytes.Join(lines, []byte("\n")))
}
