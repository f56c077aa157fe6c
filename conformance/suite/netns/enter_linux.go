package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
)

// mark tells a process that it is the one inside.
const mark = "WASMPOINT_CONFORMANCE_NETNS"

// Inside tells whether this process runs in the namespace that Enter made.
func Inside() bool { return os.Getenv(mark) != "" }

// Enter runs this program once more, with the same arguments and more environment, in a network namespace and a process
// namespace of its own, and gives its exit code. With its end, or ours, everything that it started ends too.
func Enter(env ...string) (code int, err error) {
	// The kernel kills the program when the thread that started it ends; Go ends threads as it likes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	cmd, err := start(env)
	if err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // fails only when it has ended
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
}

// start tries without a user namespace first, where this is allowed: files keep their owners then.
func start(env []string) (*exec.Cmd, error) {
	var problems []error
	for _, flags := range []uintptr{0, syscall.CLONE_NEWUSER} {
		if flags == 0 && os.Getuid() != 0 {
			continue
		}
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = slices.Concat(os.Environ(), env, []string{mark + "=1"})
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | flags, Pdeathsig: syscall.SIGKILL,
		}
		if flags != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		err := cmd.Start()
		if err == nil {
			return cmd, nil
		}
		problems = append(problems, err)
	}
	return nil, fmt.Errorf("a network namespace cannot be made (as `unshare -Urn true` would): %w; allow user namespaces, or run as root", errors.Join(problems...))
}

// Up brings the loopback interface up, and with it 127.0.0.0/8.
func Up() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("interface lo up: %w", err)
	}
	return nil
}

// DropLocal takes an address away that AddLocal made local. One that is not there is no error.
func DropLocal(cidr string) error { return onLo(cidr, netlink.AddrDel, syscall.EADDRNOTAVAIL) }

// AddLocal makes a block such as 10.244.0.0/16, or one address as a /32, local: each of its addresses can be listened on
// and reached. An address that is there already is no error.
func AddLocal(cidr string) error { return onLo(cidr, netlink.AddrAdd, syscall.EEXIST) }

func onLo(cidr string, change func(netlink.Link, *netlink.Addr) error, already syscall.Errno) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return fmt.Errorf("address %q: %w; write it as 10.244.0.0/16", cidr, err)
	}
	if err := change(lo, addr); err != nil && !errors.Is(err, already) {
		return fmt.Errorf("address %s on lo: %w", cidr, err)
	}
	return nil
}
