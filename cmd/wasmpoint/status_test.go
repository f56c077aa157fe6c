package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// running is an admin endpoint with a fixed state.
type running status.Snapshot

func (r running) Snapshot(context.Context) (status.Snapshot, error) {
	return status.Snapshot(r), nil
}
func (running) Ready(context.Context) error { return nil }
func (running) Object(context.Context, string, string, string) (any, error) {
	return nil, admin.ErrNotFound
}

func runStatus(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newStatusCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestStatusPrintsTheStateInEachFormat(t *testing.T) {
	server := httptest.NewServer(admin.Handler(running{Plugins: []status.PluginRow{{Kind: "WasmPlugin", Namespace: "default", Name: "basic-auth", Running: 1, Total: 2}}}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	for _, format := range []string{"table", "json", "yaml"} {
		t.Run(format, func(t *testing.T) {
			out, err := runStatus(t, "--addr", addr, "-o", format)
			if err != nil {
				t.Fatal(err)
			}
			var got status.Snapshot
			switch format {
			case "json":
				err = json.Unmarshal([]byte(out), &got)
			case "yaml":
				err = yaml.Unmarshal([]byte(out), &got)
			default:
				if !strings.Contains(out, "NAMESPACE") || !strings.Contains(out, "1/2") {
					t.Errorf("got %s", out)
				}
				return
			}
			if err != nil || len(got.Plugins) != 1 || got.Plugins[0].Name != "basic-auth" || !strings.HasSuffix(out, "\n") {
				t.Errorf("got %s, %v", out, err)
			}
		})
	}
}

func TestStatusSaysWhatToDoWhenItCannotAnswer(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	addr := strings.TrimPrefix(closed.URL, "http://")
	if _, err := runStatus(t, "--addr", addr); err == nil || !strings.Contains(err.Error(), "start one with `wasmpoint standalone DIR`") {
		t.Errorf("got %v", err)
	}
	if _, err := runStatus(t, "-o", "xml"); err == nil || err.Error() != `output format "xml" is unknown; use one of table, json, yaml` {
		t.Errorf("got %v", err)
	}
}
