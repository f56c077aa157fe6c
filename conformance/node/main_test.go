package node_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
)

// TestMain runs the tests inside a network namespace. What they leave in their temporary folder, because they were
// interrupted, is removed from outside.
func TestMain(m *testing.M) {
	flag.Parse()
	// They wait most of the time, for processes to start and to end.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	if netns.Inside() {
		log.SetLogger(logr.Discard()) // or controller-runtime complains that nobody did
		if err := netns.Up(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	os.Exit(outside())
}

func outside() int {
	dir, err := os.MkdirTemp("", "wasmpoint-node-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	code, err := netns.Enter("TMPDIR=" + dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}
