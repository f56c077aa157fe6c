package controller

import (
	"flag"
	"log/slog"
	"os"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
)

// libraries is what Kubernetes' client libraries log, which know one log for the whole process.
var libraries = &testbed.Text{}

func TestMain(m *testing.M) {
	flag.Parse()
	// They wait most of the time, for back-offs and Leases.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	cluster.SetLogger(slog.New(eventlog.NewHandler(libraries)))
	os.Exit(m.Run())
}
