package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A control plane in a process of its own, so that its memory and CPU can be told from the proxies'. It is this very
// program; it takes one command per line and answers each with one line.

// serve is the child's side.
func serve(kind string, in io.Reader, out io.Writer) error {
	c, addr, stop, err := start(kind)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintln(out, addr)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		command, arg, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "change":
			c.change(arg)
			fmt.Fprintln(out, "done")
		case "unrelated":
			i, err := strconv.Atoi(arg)
			if err != nil {
				return err
			}
			c.unrelated(i)
			fmt.Fprintln(out, "done")
		case "usage":
			u, err := usageOf(os.Getpid())
			if err != nil {
				return err
			}
			fmt.Fprintln(out, u.rss, u.cpu.Microseconds())
		}
	}
	return nil
}

// child is the parent's side.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func startChild(kind string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, "-serve", kind)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.addr, err = c.line()
	return c, err
}

func (c *child) line() (string, error) {
	s, err := c.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

func (c *child) do(command string) (string, error) {
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return "", err
	}
	return c.line()
}

func (c *child) change(mark string) error { _, err := c.do("change " + mark); return err }

func (c *child) unrelated(i int) error { _, err := c.do("unrelated " + strconv.Itoa(i)); return err }

func (c *child) usage() (usage, error) {
	s, err := c.do("usage")
	if err != nil {
		return usage{}, err
	}
	var rss, us int64
	if _, err := fmt.Sscan(s, &rss, &us); err != nil {
		return usage{}, fmt.Errorf("usage %q: %w", s, err)
	}
	return usage{rss, time.Duration(us) * time.Microsecond}, nil
}

func (c *child) stop() {
	_ = c.in.Close() // ends it
	_ = c.cmd.Wait()
}

// usage is what a process has used: resident memory in KiB, and CPU time.
type usage struct {
	rss int64
	cpu time.Duration
}

func usageOf(pid int) (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	rss, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return usage{rss, time.Duration(r.Utime.Nano() + r.Stime.Nano())}, err
}
