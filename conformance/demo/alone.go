package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// alone is an Envoy without a control plane: the content of its slot comes from a file, the module from the disk.
type alone struct {
	cmd          *exec.Cmd
	url          string
	slot, module string
}

func startAlone(envoy, plugin, dir string) (*alone, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if envoy == "" {
		envoy = "envoy"
	}
	module, err := filepath.Abs(plugin)
	if err != nil {
		return nil, err
	}
	a := &alone{url: fmt.Sprintf("http://127.0.0.1:%d/productpage", port), slot: filepath.Join(dir, "slot.json"), module: module}
	if err := a.change(-1); err != nil {
		return nil, err
	}
	typed := func(kind string, fields map[string]any) map[string]any {
		fields["@type"] = "type.googleapis.com/" + kind
		return fields
	}
	bootstrap := map[string]any{"static_resources": map[string]any{"listeners": []any{map[string]any{
		"name":    "in",
		"address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": port}},
		"filter_chains": []any{map[string]any{"filters": []any{map[string]any{
			"name": "hcm",
			"typed_config": typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", map[string]any{
				"stat_prefix": "in",
				"route_config": map[string]any{"virtual_hosts": []any{map[string]any{
					"name": "all", "domains": []string{"*"},
					"routes": []any{map[string]any{"match": map[string]any{"prefix": "/"}, "direct_response": map[string]any{"status": 200}}},
				}}},
				"http_filters": []any{
					map[string]any{"name": "slot", "config_discovery": map[string]any{
						"config_source": map[string]any{"path_config_source": map[string]any{"path": a.slot}, "resource_api_version": "V3"},
						"type_urls":     []string{"type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig"},
					}},
					map[string]any{"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", map[string]any{})},
				},
			}),
		}}}},
	}}}}
	raw, err := json.Marshal(bootstrap)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "alone.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return nil, err
	}
	a.cmd = exec.Command(envoy, "-c", file, "--disable-hot-restart", "--service-node", "alone", "--service-cluster", "alone", "--concurrency", "2", "--log-level", "error")
	a.cmd.Stdout, a.cmd.Stderr = os.Stderr, os.Stderr
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *alone) stop() {
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	_ = a.cmd.Wait()
}

// change writes the slot's content with another password.
func (a *alone) change(i int) error {
	content := map[string]any{"resources": []any{map[string]any{
		"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "slot",
		"typed_config": map[string]any{
			"@type": "type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig",
			"default_filter_chain": map[string]any{"filters": []any{map[string]any{
				"name": "basic-auth",
				"typed_config": map[string]any{
					"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
					"config": map[string]any{
						"name":          "basic-auth",
						"configuration": map[string]any{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config(i)},
						"vm_config": map[string]any{
							"vm_id": "one", "runtime": "envoy.wasm.runtime.v8",
							"code": map[string]any{"local": map[string]any{"filename": a.module}},
						},
					},
				},
			}}},
		},
	}}}
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return write(a.slot, string(raw))
}
