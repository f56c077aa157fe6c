package standalone

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
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
