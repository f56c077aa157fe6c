package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running process of a Pod.
type Process struct {
	spec    Spec
	sandbox *Sandbox
	// entering are the commands on their way into the namespaces. The number of a file that was closed may soon be another Pod's.
	entering sync.RWMutex
	mounts   *os.File
	cmd      *exec.Cmd
	exited   chan struct{}
}

// Start starts a process in the Pod's network namespace. It is killed if this program ends.
func (s *Sandbox) Start(spec Spec) (*Process, error) {
	p := &Process{spec: spec, sandbox: s, exited: make(chan struct{})}
	started := make(chan error, 1)
	// The kernel kills the process when the thread that started it ends, so the thread waits for the process.
	onThread(func() {
		err := p.start()
		started <- err
		if err != nil {
			return
		}
		awaitEnd(p.cmd.Process.Pid)
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL) // what is left of its group; fails only when nothing is
		_ = p.cmd.Wait()                                // how it ended is in its state
		p.entering.Lock()
		_ = p.mounts.Close()
		p.entering.Unlock()
		close(p.exited)
	})
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// start runs on the thread of the process.
func (p *Process) start() (err error) {
	if err := p.sandbox.enter(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(p.spec.Hostname)); err != nil {
		return fmt.Errorf("hostname %q: %w", p.spec.Hostname, err)
	}
	if err := p.spec.build(); err != nil {
		return err
	}
	if p.mounts, err = namespaceOfThread("mnt"); err != nil {
		return err
	}
	p.cmd, err = p.spec.command(p.spec.Output)
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, p.mounts.Close())
	}
	return nil
}

// command is the process to start from a thread that is in its namespaces.
func (s *Spec) command(output *os.File) (*exec.Cmd, error) {
	program, err := s.program()
	if err != nil {
		return nil, err
	}
	if s.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("no new privileges: %w", err)
		}
	}
	if s.DropCapabilities {
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			// An older kernel does not know the last ones.
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
				return nil, fmt.Errorf("dropping capability %d: %w", c, err)
			}
		}
	}
	cmd := &exec.Cmd{Path: program, Args: s.Command, Env: s.Env, Dir: "/", Stdout: output, Stderr: output}
	if s.Dir != "" {
		cmd.Dir = s.Dir
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.Root, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if severalIDs() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.User, Gid: s.Group, Groups: s.Groups}
	}
	return cmd, nil
}

// Run runs one more command beside the process, with its view of files and network, until it ends or the context does. What it
// leaves running ends with it.
func (p *Process) Run(ctx context.Context, command []string) (output string, err error) {
	spec := p.spec
	spec.Command = command
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	result := make(chan error, 1)
	onThread(func() { result <- p.run(ctx, &spec, write) })
	// What left the command's group may keep the output open for ever.
	stop := context.AfterFunc(ctx, func() { _ = read.SetReadDeadline(time.Now()) }) // a pipe can do this
	defer stop()
	var all bytes.Buffer
	_, readErr := all.ReadFrom(read)
	if errors.Is(readErr, os.ErrDeadlineExceeded) {
		readErr = ctx.Err()
	}
	return all.String(), errors.Join(<-result, readErr, read.Close())
}

// enter puts the current thread into the namespaces.
func (p *Process) enter() error {
	p.entering.RLock()
	defer p.entering.RUnlock()
	if err := p.sandbox.enter(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(int(p.mounts.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("entering the container's mount namespace: %w", err)
	}
	return nil
}

// run closes the output, so that its reader ends with the command.
func (p *Process) run(ctx context.Context, spec *Spec, output *os.File) error {
	defer output.Close()
	if err := p.enter(); err != nil {
		return err
	}
	cmd, err := spec.command(output)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended, killed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(killed)
		select {
		case <-ctx.Done():
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		case <-ended:
		}
	}()
	awaitEnd(cmd.Process.Pid)
	close(ended)
	<-killed
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what is left of its group; its number is its own until it is collected
	if err := cmd.Wait(); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// awaitEnd waits for the end of a child and leaves it to be collected, so that its number stays its own until then.
func awaitEnd(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
}

// Signal asks the process for something; one that has ended hears nothing.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Exited is closed when the process and its group have ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Result is how it ended: its exit code, 128 more than the number of the signal that killed it, if one did.
func (p *Process) Result() (code int, signal int) {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), int(status.Signal())
	}
	return status.ExitStatus(), 0
}
