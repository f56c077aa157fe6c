// Command demo runs the founding walk-through on real Envoys and prints what was asked and answered. It starts a registry
// with the plugin, Bookinfo's stand-ins and `wasmpoint standalone`, and then adds and removes files. It ends non-zero if
// any answer differs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/walkthrough"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	keep := flag.Bool("keep", false, "leave everything running afterwards, and print what to try")
	bench := flag.Bool("bench", false, "measure the time from a file change to its effect instead")
	changes := flag.Int("n", 200, "how many changes to measure with --bench")
	binary := flag.String("wasmpoint", "bin/wasmpoint", "the wasmpoint binary")
	envoy := flag.String("envoy", os.Getenv("ENVOY"), "the Envoy binary; empty: wasmpoint looks for it")
	samples := flag.String("samples", "manifests/samples", "the folder with the sample manifests")
	plugin := flag.String("plugin", ".tools/wasm/basic-auth.wasm", "the compiled plugins/basic-auth")
	flag.Parse()

	dir, err := os.MkdirTemp("", "wasmpoint-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	port, err := freePort()
	if err != nil {
		return err
	}
	w, err := walkthrough.New(walkthrough.Config{
		Samples: *samples, Plugin: *plugin, Dir: dir, Admin: fmt.Sprintf("127.0.0.1:%d", port),
	})
	if err != nil {
		return err
	}
	defer w.Close()

	logFile, err := os.Create(filepath.Join(dir, "wasmpoint.log"))
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	// Parallel runs choose their own loopback addresses.
	args := []string{
		"standalone", w.Manifests, "--mirror", w.Mirror, "--data-dir", filepath.Join(dir, "data"),
		"--admin-addr", fmt.Sprintf("127.0.0.1:%d", port), "--address-block", fmt.Sprintf("127.%d.%d.0/24", 100+port%100, port/100%250),
	}
	if *envoy != "" {
		args = append(args, "--envoy", *envoy)
	}
	cmd := exec.Command(*binary, args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	fmt.Printf("starting wasmpoint standalone on %s\n", w.Manifests)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w; run `make build` first", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends by our own signal
		close(ended)
	}()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	ready, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.Ready(ready); err != nil {
		return errors.Join(err, dump(logFile.Name()))
	}
	if *bench {
		return measure(ctx, w, *envoy, *plugin, dir, *changes)
	}
	begin := time.Now()
	table := newTable(os.Stdout)
	ok, err := w.Walk(ctx, table.row)
	if err != nil {
		return err
	}
	table.end(time.Since(begin))
	if *keep {
		return leave(ctx, w, *binary, port)
	}
	if !ok {
		return errors.Join(errors.New("some answers differ from the founding documents"), dump(logFile.Name()))
	}
	return nil
}

// leave prints what to try and waits for Ctrl-C.
func leave(ctx context.Context, w *walkthrough.World, binary string, port int) error {
	gw, err := w.Gateway(ctx, "bookinfo-gateway")
	if err != nil {
		return err
	}
	page, err := w.Service(ctx, "productpage")
	if err != nil {
		return err
	}
	fmt.Printf(`
Everything goes on running; Ctrl-C stops it. Try, in another terminal:

  %[1]s status --addr 127.0.0.1:%[2]d
  cp manifests/samples/bookinfo-steps/1-basic-auth-at-gateway.yaml %[3]s/
  curl -i http://%[4]s/productpage
  curl -i -H 'Authorization: Basic YWRtaW4zOmFkbWluMw==' http://%[4]s/productpage
  curl -i http://%[5]s:9080/productpage
  rm %[3]s/1-basic-auth-at-gateway.yaml
`, binary, port, w.Manifests, gw, page)
	<-ctx.Done()
	return nil
}

func dump(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return fmt.Errorf("wasmpoint's log:\n%s", b)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
