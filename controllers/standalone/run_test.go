package standalone

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// options are those of a wasmpoint without proxies, with an admin address that nobody else uses.
func options(t *testing.T, manifest string) Options {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return Options{
		Dirs: []string{dir}, DataDir: t.TempDir(), NoProxies: true, AdminAddr: l.Addr().String(),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func run(ctx context.Context, t *testing.T, o Options) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Run does not return")
		return nil
	}
}

const gatewayManifest = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\n" +
	"spec: {gatewayClassName: wasmpoint, listeners: [{name: http, port: 80, protocol: HTTP}]}\n"

func TestAStartThatIsCancelledEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := options(t, gatewayManifest)
	for range 20 { // it is a matter of luck who sees the end first
		if err := run(ctx, t, o); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFailedStartLeavesItsAddressesFree(t *testing.T) {
	o := options(t, "kind: Gateway\nnonsense: [")
	err := run(context.Background(), t, o)
	if err == nil || !strings.Contains(err.Error(), "nothing was started") {
		t.Fatalf("error %v", err)
	}
	l, err := net.Listen("tcp", o.AdminAddr)
	if err != nil {
		t.Fatalf("the admin address is still in use: %v", err)
	}
	_ = l.Close()
}

func TestAStartRefusesAPluginThatOnlyItsConversionFindsInvalid(t *testing.T) {
	o := options(t, gatewayManifest+"---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\n"+
		"spec:\n  url: oci://registry.example/plugin:1\n  vmConfig:\n    env:\n    - {name: not-a-name, value: x}\n")
	err := run(context.Background(), t, o)
	if err == nil || !strings.Contains(err.Error(), "nothing was started") || !strings.Contains(err.Error(), "spec.vmConfig.env") {
		t.Fatalf("error %v", err)
	}
}

// goroutines are the stacks of those that run this project's code, but for the test's own.
func goroutines() string {
	buf := make([]byte, 1<<20)
	var out []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "wasmpoint/wasmpoint/") && !strings.Contains(g, "testing.tRunner") {
			out = append(out, g)
		}
	}
	return strings.Join(out, "\n\n")
}

func TestAStartThatFailsLateLeavesNothingRunning(t *testing.T) {
	o := options(t, gatewayWith("a", 80)+gatewayWith("b", 80)+gatewayWith("c", 80))
	o.AddressBlock = "127.64.0.0/30"
	for range 2 { // the second finds the data folder and the address free
		if err := run(context.Background(), t, o); err == nil || !strings.Contains(err.Error(), "is full") {
			t.Fatalf("error %v", err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for goroutines() != "" {
		if time.Now().After(deadline) {
			t.Fatalf("still running:\n%s", goroutines())
		}
		runtime.Gosched()
	}
}

func TestADataFolderInUseIsRefused(t *testing.T) {
	o := options(t, gatewayManifest)
	ctx, cancel := context.WithCancelCause(context.Background())
	s, err := start(ctx, o, cancel)
	if err != nil {
		t.Fatal(err)
	}
	other := options(t, gatewayManifest)
	other.DataDir = o.DataDir
	want := "--data-dir " + o.DataDir + " is in use by another wasmpoint; stop that one, or give another folder with --data-dir"
	if err := run(context.Background(), t, other); err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
	cancel(nil)
	s.close()
	ctx, cancel = context.WithCancelCause(context.Background())
	if s, err = start(ctx, other, cancel); err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	cancel(nil)
	s.close()
}
