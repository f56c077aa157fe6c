package proxies

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The back-off between a crash and the next start: it doubles from minDelay to maxDelay, and a process that lived for
// settled begins again at minDelay.
const (
	minDelay = 200 * time.Millisecond
	maxDelay = 10 * time.Second
	settled  = 30 * time.Second
)

// nextDelay is the wait before the next start, after a wait of last (0 at first) and a life of lived.
func nextDelay(last, lived time.Duration) time.Duration {
	if last == 0 || lived >= settled {
		return minDelay
	}
	return min(2*last, maxDelay)
}

// proxy is one id of the supervisor. Its goroutine (run) is the only one that starts and stops processes.
type proxy struct {
	s    *Supervisor
	id   string
	wake chan struct{} // holds one token when bootstrap or gone changed
	done chan struct{}

	mu        sync.Mutex
	bootstrap []byte
	gone      bool
	pid       int
	stopCtx   context.Context // bounds the stop; set with gone
}

// setBootstrap is false when the proxy is being removed, so that it cannot be used again.
func (p *proxy) setBootstrap(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return false
	}
	if !bytes.Equal(p.bootstrap, b) {
		p.bootstrap = b
		p.notify()
	}
	return true
}

func (p *proxy) remove() { p.removeBy(context.Background()) }

func (p *proxy) removeBy(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone, p.stopCtx = true, ctx
	p.notify()
}

func (p *proxy) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *proxy) currentPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

func (p *proxy) setPID(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
}

// wanted is the bootstrap that should run, and whether anything should.
func (p *proxy) wanted() ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bootstrap, !p.gone
}

// run keeps the process running until the proxy is removed.
func (p *proxy) run() {
	defer func() {
		p.s.mu.Lock()
		defer p.s.mu.Unlock()
		if p.s.proxies[p.id] == p {
			delete(p.s.proxies, p.id)
		}
	}()
	var delay time.Duration
	out := &tail{}
	for {
		bootstrap, want := p.wanted()
		if !want {
			break
		}
		began := p.s.o.Now()
		crashed := p.once(bootstrap, out)
		if !crashed {
			delay = 0
			continue
		}
		delay = nextDelay(delay, p.s.o.Now().Sub(began))
		p.s.o.OnEvent(Event{ID: p.id, State: Restarting, Delay: delay})
		select {
		case <-p.s.o.After(delay):
		case <-p.wake:
			// A new bootstrap deserves an attempt at once.
			delay = 0
		}
	}
	if c, ok := out.to.(interface{ Close() error }); ok {
		_ = c.Close()
	}
}

// once runs one process to its end: a crash (true), or a stop because something else is wanted now (false).
func (p *proxy) once(bootstrap []byte, out *tail) (crashed bool) {
	cmd, addressFile, err := p.command(bootstrap, out)
	if err == nil {
		err = p.s.spawn.start(cmd)
	}
	if err != nil {
		p.s.o.OnEvent(Event{ID: p.id, State: Failed, Err: err})
		return true
	}
	p.setPID(cmd.Process.Pid)
	defer p.setPID(0)
	p.s.o.OnEvent(Event{ID: p.id, State: Started, PID: cmd.Process.Pid})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the state tells more than the error
	}()
	for {
		select {
		case <-ended:
			p.setPID(0)
			e := exitEvent(p.id, Exited, cmd)
			e.Log = out.reason(e.Signal == "")
			p.s.o.OnEvent(e)
			return true
		case <-p.wake:
			if now, want := p.wanted(); want && bytes.Equal(now, bootstrap) {
				continue // changed and changed back
			}
			p.stop(cmd, addressFile, ended)
			p.setPID(0)
			p.s.o.OnEvent(exitEvent(p.id, Stopped, cmd))
			return false
		}
	}
}

// command writes the bootstrap and prepares the process.
func (p *proxy) command(bootstrap []byte, out *tail) (*exec.Cmd, string, error) {
	o := p.s.o
	dir := filepath.Join(o.Dir, p.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", err
	}
	if out.to == nil {
		w, err := o.Log(p.id)
		if err != nil {
			return nil, "", err
		}
		out.to = w
	}
	out.reset()
	name := "bootstrap.yaml"
	if trimmed := bytes.TrimSpace(bootstrap); len(trimmed) > 0 && trimmed[0] == '{' {
		name = "bootstrap.json"
	}
	path, addressFile := filepath.Join(dir, name), filepath.Join(dir, "admin-address")
	if err := os.WriteFile(path, bootstrap, 0o600); err != nil {
		return nil, "", err
	}
	if err := os.Remove(addressFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, "", err
	}
	level, components, err := ParseLogLevel(o.LogLevel)
	if err != nil {
		return nil, "", err
	}
	args := []string{
		"--config-path", path,
		"--admin-address-path", addressFile,
		// Without hot restart, any number of Envoys run side by side, and a killed one leaves no shared memory behind:
		// --use-dynamic-base-id leaves a segment in /dev/shm for every SIGKILL.
		"--disable-hot-restart",
		// At a stop every answer says "connection: close", not a growing share of them.
		"--drain-strategy", "immediate",
		"--concurrency", strconv.Itoa(o.Concurrency),
		"--log-level", level,
	}
	if components != "" {
		args = append(args, "--component-log-level", components)
	}
	cmd := exec.Command(o.EnvoyPath, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	return cmd, addressFile, nil
}

// stop drains, then sends SIGTERM, then SIGKILL. It returns when the process has ended.
func (p *proxy) stop(cmd *exec.Cmd, addressFile string, ended <-chan struct{}) {
	p.mu.Lock()
	ctx := p.stopCtx
	p.mu.Unlock()
	if ctx == nil {
		ctx = context.Background()
	}
	draining, cancel := context.WithTimeout(ctx, p.s.o.DrainTimeout)
	drain(draining, addressFile)
	cancel()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
		return
	case <-ctx.Done():
	case <-p.s.o.After(p.s.o.KillAfter):
	}
	_ = cmd.Process.Kill()
	<-ended
}
