// Package walkthrough is the founding walk-through: Istio's tasks "Distributing WebAssembly Modules" and "Extend waypoints
// with WebAssembly plugins" step by step on real Envoys, by adding and removing files. `make demo` prints it, a test asserts it.
package walkthrough

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// image is where the founding documents take the plugin from. The registry below stands in for its host.
const image = "ghcr.io/istio-ecosystem/wasm-extensions/basic_auth:1.12.0"

// Config says what a World is made of.
type Config struct {
	// Samples is the folder manifests/samples.
	Samples string
	// Plugin is the compiled plugins/basic-auth.
	Plugin string
	// Dir is an empty folder for manifests and data.
	Dir string
	// Admin is the loopback address of wasmpoint's admin endpoint.
	Admin string
}

// World is everything around wasmpoint: registry, Bookinfo, and the folder of manifests that wasmpoint watches.
type World struct {
	Bookinfo *bookinfo.Bookinfo
	// Manifests is the folder to run `wasmpoint standalone` on.
	Manifests string
	// Mirror is HOST=HOST:PORT for --mirror.
	Mirror string

	config   Config
	registry *http.Server
	client   *http.Client
	admin    admin.Client
	hosts    map[at]string
}

// New starts registry and Bookinfo, and copies the base manifests.
func New(c Config) (*World, error) {
	w := &World{
		config: c, Manifests: filepath.Join(c.Dir, "manifests"), client: &http.Client{Timeout: 5 * time.Second},
		admin: admin.Client{Addr: c.Admin}, hosts: map[at]string{},
	}
	if err := os.MkdirAll(w.Manifests, 0o755); err != nil {
		return nil, err
	}
	if err := w.startRegistry(); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	var err error
	w.Bookinfo, err = bookinfo.Start(bookinfo.Config{ReviewsURL: func() string {
		addr, err := w.Service(context.Background(), "reviews")
		if err != nil {
			return ""
		}
		return "http://" + addr + ":9080"
	}})
	if err != nil {
		w.Close()
		return nil, err
	}
	base, err := filepath.Glob(filepath.Join(c.Samples, "bookinfo", "*.yaml"))
	if err != nil || len(base) == 0 {
		w.Close()
		return nil, fmt.Errorf("no manifests in %s/bookinfo: %w", c.Samples, err)
	}
	for _, f := range base {
		if err := w.Add(f, filepath.Base(f)); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// Close stops what New started.
func (w *World) Close() {
	_ = w.registry.Close()
	if w.Bookinfo != nil {
		_ = w.Bookinfo.Close()
	}
}

// startRegistry serves the plugin's image on a loopback port.
func (w *World) startRegistry() error {
	module, err := os.ReadFile(w.config.Plugin)
	if err != nil {
		return fmt.Errorf("%w; run `make plugins`", err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.registry = &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: time.Minute}
	go func() { _ = w.registry.Serve(lis) }() // ends with Close
	host, path, _ := strings.Cut(image, "/")
	w.Mirror = host + "=" + lis.Addr().String()
	var layer bytes.Buffer
	t := tar.NewWriter(&layer)
	if err := t.WriteHeader(&tar.Header{Name: "plugin.wasm", Mode: 0o644, Size: int64(len(module))}); err != nil {
		return err
	}
	if _, err := t.Write(module); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(lis.Addr().String() + "/" + path)
	if err != nil {
		return err
	}
	return remote.Write(ref, img)
}

// Add copies a manifest into the watched folder, at once. The ports of Bookinfo's stand-ins are put in.
func (w *World) Add(from, as string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		"19080", strconv.Itoa(w.Bookinfo.Productpage.Port()), "19081", strconv.Itoa(w.Bookinfo.Reviews.Port()),
	).Replace(string(b))
	tmp := filepath.Join(w.Manifests, "."+as+".tmp")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(w.Manifests, as))
}

// Remove deletes a manifest.
func (w *World) Remove(name string) error { return os.Remove(filepath.Join(w.Manifests, name)) }

// Snapshot is what wasmpoint says of itself.
func (w *World) Snapshot(ctx context.Context) (status.Snapshot, error) { return w.admin.Snapshot(ctx) }

// Service is the address of a Service.
func (w *World) Service(ctx context.Context, name string) (string, error) {
	s, err := w.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	for _, row := range s.Services {
		if row.Name == name {
			return row.Address, nil
		}
	}
	return "", fmt.Errorf("no Service %s", name)
}

// Gateway is the address and first port of a Gateway.
func (w *World) Gateway(ctx context.Context, name string) (string, error) {
	s, err := w.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	for _, row := range s.Gateways {
		if row.Name == name && len(row.Ports) > 0 {
			return net.JoinHostPort(row.Address, strconv.Itoa(int(row.Ports[0]))), nil
		}
	}
	return "", fmt.Errorf("no Gateway %s", name)
}

// Ready waits until wasmpoint answers.
func (w *World) Ready(ctx context.Context) error {
	for {
		err := w.admin.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wasmpoint does not become ready: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
