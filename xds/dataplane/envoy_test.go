package dataplane

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

var gateway = types.NamespacedName{Namespace: "shop", Name: "edge"}

// refusals keeps the server's warnings: each is something that Envoy refused.
type refusals struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *refusals) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *refusals) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// freePort asks the system for a port that nobody uses.
func freePort(t *testing.T) uint32 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return uint32(l.Addr().(*net.TCPAddr).Port)
}

// changeOf brings resources to a proxy, with all slots in them being pass-through.
func changeOf(t *testing.T, resources []Resource) cache.Change {
	t.Helper()
	change := cache.Change{Resources: map[string]map[string]*cache.Resource{}, Slots: map[string]*build.Slot{}}
	for _, r := range resources {
		body, err := r.Any()
		if err != nil {
			t.Fatal(err)
		}
		if change.Resources[r.TypeURL] == nil {
			change.Resources[r.TypeURL] = map[string]*cache.Resource{}
		}
		change.Resources[r.TypeURL][r.Name] = cache.NewResource(body)
	}
	for name := range slotsIn(t, resources) {
		parsed, err := names.ParseSlot(name)
		if err != nil {
			t.Fatal(err)
		}
		change.Slots[name] = &build.Slot{Name: name, Network: parsed.Kind == names.KindNetwork}
	}
	return change
}

// startEnvoy runs a real Envoy on the resources, all slots being pass-through, and waits until all its listeners are
// active. It fails the test if Envoy refuses anything.
func startEnvoy(t *testing.T, resources []Resource) (admin string) {
	t.Helper()
	hub := cache.NewHub()
	hub.Group(gateway).Apply(changeOf(t, resources))
	admin, _ = startEnvoyOf(t, hub, resources)
	return admin
}

// startEnvoyOf is startEnvoy for a hub that may change afterwards. disconnect ends the proxy's connection to its controller,
// which the proxy makes anew.
func startEnvoyOf(t *testing.T, hub *cache.Hub, resources []Resource) (admin string, disconnect func()) {
	t.Helper()
	binary := testbed.EnvoyPath(t)
	refused := &refusals{}
	xds := server.New(server.Options{
		Hub: hub, Registry: acks.NewRegistry(acks.Events{}), ModuleCluster: names.ModulesCluster,
		Identify:  func(context.Context, *corev3.Node) (types.NamespacedName, error) { return gateway, nil },
		ModuleURL: func(string, url.Values) string { return "" },
		Logger:    slog.New(slog.NewTextHandler(refused, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var g *grpc.Server
	serve := func(lis net.Listener) {
		g = grpc.NewServer()
		xds.Register(g)
		t.Cleanup(g.Stop)
		go func(g *grpc.Server) { _ = g.Serve(lis) }(g)
	}
	serve(lis)
	disconnect = func() {
		g.Stop()
		again, err := net.Listen("tcp", lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		serve(again)
	}

	dir := t.TempDir()
	admin = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	config, err := bootstrap.JSON(bootstrap.Config{ID: "proxy", Gateway: gateway, XDS: lis.Addr().String(), Modules: "127.0.0.1:1", Admin: admin})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "log")
	cmd := exec.Command(binary, "-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-path", logs, "-l", "warning", "--drain-time-s", "1")
	if err := testbed.Spawn(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(logs)
			t.Logf("Envoy's log:\n%s", b)
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		if why := refused.String(); why != "" {
			t.Fatalf("Envoy refused: %s", why)
		}
		if body, err := fetch("http://" + admin + "/ready"); err == nil && strings.Contains(body, "LIVE") && warmed(admin, resources) {
			return admin, disconnect
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(logs)
			t.Fatalf("Envoy is not live after 30 s:\n%s", b)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// warmed tells that all listeners are active.
func warmed(admin string, resources []Resource) bool {
	body, err := fetch("http://" + admin + "/listeners?format=json")
	if err != nil {
		return false
	}
	for _, r := range resources {
		if r.TypeURL == TypeListener && !strings.Contains(body, `"`+r.Name+`"`) {
			return false
		}
	}
	return true
}

func fetch(url string) (string, error) {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
