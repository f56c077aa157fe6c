package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/walkthrough"
)

// pluginFile is basic-auth at the gateway with one password.
const pluginFile = `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: basic-auth-at-gateway
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: bookinfo-gateway}
  url: oci://ghcr.io/istio-ecosystem/wasm-extensions/basic_auth:1.12.0
  phase: AUTHN
  pluginConfig: %s
`

// config accepts one password.
func config(i int) string {
	return fmt.Sprintf(`{"basic_auth_rules":[{"prefix":"/productpage","request_methods":["GET"],"credentials":["ok:%d"]}]}`, i)
}

// measure prints how long a config-only change takes from the file's write to its effect on requests, and how much of that
// is Envoy's own: the same change with the same module, read by Envoy itself from a file.
func measure(ctx context.Context, w *walkthrough.World, envoy, plugin, dir string, n int) error {
	gw, err := w.Gateway(ctx, "bookinfo-gateway")
	if err != nil {
		return err
	}
	fmt.Printf("measuring %d config-only changes of plugins/basic-auth, one after another\n", n)
	ours, err := changes(ctx, n, "http://"+gw+"/productpage", func(i int) error {
		return write(filepath.Join(w.Manifests, "plugin.yaml"), fmt.Sprintf(pluginFile, config(i)))
	})
	if err != nil {
		return err
	}
	alone, err := startAlone(envoy, plugin, dir)
	if err != nil {
		return err
	}
	defer alone.stop()
	own, err := changes(ctx, n, alone.url, alone.change)
	if err != nil {
		return err
	}
	fmt.Printf("\n%-58s %9s %9s %9s\n", "FROM FILE WRITE TO EFFECT", "P50", "P90", "P99")
	line("wasmpoint standalone: manifest, prefetch lane, slot", ours)
	line("Envoy alone: the slot's content from a file, local module", own)
	return nil
}

// changes makes n changes, each when the one before has its effect, and returns the times, sorted. The first change
// brings the module in and does not count.
func changes(ctx context.Context, n int, url string, change func(i int) error) ([]time.Duration, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	times := make([]time.Duration, 0, n)
	for i := range n + 1 {
		begin := time.Now()
		if err := change(i); err != nil {
			return nil, err
		}
		auth := "Basic " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "ok:%d", i))
		for {
			code, err := ask(ctx, client, url, auth)
			if err == nil && code == http.StatusOK {
				break
			}
			if time.Since(begin) > time.Minute || ctx.Err() != nil {
				return nil, fmt.Errorf("change %d has no effect: status %d, %w", i, code, err)
			}
		}
		took := time.Since(begin)
		// At the first change everybody may pass until the plugin is there, so it ends with the first refusal.
		if i == 0 {
			if err := refused(ctx, client, url); err != nil {
				return nil, err
			}
			continue
		}
		times = append(times, took)
	}
	slices.Sort(times)
	return times, nil
}

func refused(ctx context.Context, client *http.Client, url string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if code, err := ask(ctx, client, url, ""); err == nil && code == http.StatusUnauthorized {
			return nil
		}
	}
	return fmt.Errorf("%s never asks for credentials", url)
}

func ask(ctx context.Context, client *http.Client, url, auth string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func write(path, content string) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func line(what string, sorted []time.Duration) {
	at := func(q float64) string {
		return fmt.Sprintf("%.1f ms", float64(sorted[int(q*float64(len(sorted)-1))])/float64(time.Millisecond))
	}
	fmt.Printf("%-58s %9s %9s %9s\n", what, at(0.50), at(0.90), at(0.99))
}
