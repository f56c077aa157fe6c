package walkthrough_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/walkthrough"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/standalone"
)

func TestEveryRowOfTheFoundingTableIsAnsweredAsItSays(t *testing.T) {
	plugin, err := wasmtest.BuildFile(wasmtest.ModuleBasicAuth)
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), testbed.FreePort(t)
	w, err := walkthrough.New(walkthrough.Config{
		Samples: filepath.Join("..", "..", "manifests", "samples"), Plugin: plugin, Dir: dir, Admin: testbed.Address(port),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	host, mirror, _ := strings.Cut(w.Mirror, "=")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- standalone.Run(ctx, standalone.Options{
			Dirs: []string{w.Manifests}, EnvoyPath: testbed.EnvoyPath(t), ClassAliases: true, DataDir: filepath.Join(dir, "data"),
			AdminAddr: testbed.Address(port), AddressBlock: fmt.Sprintf("127.%d.%d.0/24", 100+port%100, port/100%250),
			Mirrors: map[string]string{host: mirror}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	ready, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := w.Ready(ready); err != nil {
		t.Fatal(err)
	}
	ok, err := w.Walk(ctx, func(r walkthrough.Row) {
		t.Logf("%s: %s%s %q: %d, want %d, after %s", r.Step, r.At, r.Path, r.Authorization, r.Got, r.Want, r.Took.Round(time.Millisecond))
	})
	if err != nil || !ok {
		t.Errorf("the walk differs from the table (%v)", err)
	}
}
