package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// Client asks the endpoint of a running wasmpoint.
type Client struct {
	// Addr is HOST:PORT.
	Addr string
	// HTTP is the client to use; nil means http.DefaultClient.
	HTTP *http.Client
}

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 256 << 20

// Snapshot is the state of the running wasmpoint. The error says what to do when nobody answers.
func (c Client) Snapshot(ctx context.Context) (status.Snapshot, error) {
	var out status.Snapshot
	body, err := c.get(ctx, "/status")
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("what answers at %s is not wasmpoint's admin endpoint: %w; name the right address with --addr", c.Addr, err)
	}
	return out, nil
}

// Ready is nil when the running wasmpoint serves proxies.
func (c Client) Ready(ctx context.Context) error {
	_, err := c.get(ctx, "/readyz")
	return err
}

func (c Client) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Addr+path, nil)
	if err != nil {
		return nil, fmt.Errorf("address %q is not HOST:PORT such as %s: %w", c.Addr, DefaultAddress, err)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no wasmpoint answers at %s (%w); start one with `wasmpoint standalone DIR`, or give the address of its --admin-addr with --addr", c.Addr, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", c.Addr, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("wasmpoint at %s answered %s: %s", c.Addr, resp.Status, strings.TrimSpace(string(body[:min(len(body), 500)])))
	}
	return body, nil
}
