package proxies

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// drainPoll is how often a draining Envoy is asked for its open connections.
const drainPoll = 20 * time.Millisecond

// drain asks Envoy to close its connections after their current request and to take no new ones, and waits until none is
// open or ctx ends. Everything here is best effort: an Envoy that does not answer is stopped by signal anyway.
func drain(ctx context.Context, addressFile string) {
	client, base, ok := adminClient(addressFile)
	if !ok {
		return
	}
	defer client.CloseIdleConnections()
	// The first call makes answers carry "connection: close"; the second one stops the listeners at once.
	for _, path := range []string{"/drain_listeners?graceful", "/drain_listeners"} {
		if _, err := call(ctx, client, http.MethodPost, base+path); err != nil {
			return
		}
	}
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		body, err := call(ctx, client, http.MethodGet, base+`/stats?format=json&filter=^listener\..*downstream_cx_active$`)
		if err != nil || openConnections(body) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// adminClient reads the address that Envoy wrote (--admin-address-path): host:port, or the path of a Unix socket.
func adminClient(addressFile string) (*http.Client, string, bool) {
	raw, err := os.ReadFile(addressFile)
	address := strings.TrimSpace(string(raw))
	if err != nil || address == "" {
		return nil, "", false
	}
	if !strings.HasPrefix(address, "/") {
		return &http.Client{Transport: &http.Transport{}}, "http://" + address, true
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}}, "http://admin", true
}

func call(ctx context.Context, client *http.Client, method, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body json.RawMessage
	// The answers of POST are no JSON; their text is of no interest.
	_ = json.NewDecoder(resp.Body).Decode(&body)
	return body, nil
}

// openConnections adds up the connections of all listeners but the admin's own.
func openConnections(body []byte) int {
	var answer struct {
		Stats []struct {
			Name  string `json:"name"`
			Value int    `json:"value"`
		} `json:"stats"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return 0
	}
	n := 0
	for _, s := range answer.Stats {
		// listener.NAME.worker_N.… repeats what listener.NAME.… says.
		if !strings.HasPrefix(s.Name, "listener.admin.") && !strings.Contains(s.Name, ".worker_") {
			n += s.Value
		}
	}
	return n
}
