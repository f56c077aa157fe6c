package node_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
)

// asleep is a process in a sandbox of its own that does nothing.
func asleep(t *testing.T) *sandbox.Process {
	t.Helper()
	bridge, err := sandbox.NewBridge("asleep", netip.MustParsePrefix("10.245.0.0/24"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bridge.Close() })
	box, err := bridge.Join(netip.MustParseAddr("10.245.0.2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	output, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p, err := box.Start(sandbox.Spec{Root: t.TempDir(), Command: []string{"sleep", "1000"}, Env: []string{"PATH=/bin:/usr/bin"}, Hostname: "asleep", Output: output})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Signal(syscall.SIGKILL)
		<-p.Exited()
	})
	return p
}

func TestWhatAProbeLeavesRunningDoesNotHoldItUp(t *testing.T) {
	p := asleep(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if output, err := p.Run(ctx, []string{"sh", "-c", "sleep 1000 & echo done"}); err != nil || output != "done\n" || ctx.Err() != nil {
		t.Errorf("%q, %v; the context: %v", output, err, ctx.Err())
	}
	// What is in a group of its own is not found; it keeps the output open, but not longer than the probe may take.
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	away := "setsid sh -c 'echo > /tmp/away; exec sleep 20' & until test -e /tmp/away; do :; done; echo done"
	if output, err := p.Run(short, []string{"sh", "-c", away}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q, %v; want the end of the context", output, err)
	}
}
