package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"
)

// StopAPIServer ends kube-apiserver at once, as a crash does: connections break and the port refuses.
func (c *Cluster) StopAPIServer() {
	c.t.Helper()
	c.apiServer.kill()
}

// StartAPIServer starts kube-apiserver again, with the same data, certificate and address, and waits until it is ready.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	if c.apiServer != nil && c.apiServer.alive() {
		c.t.Fatal("StartAPIServer: it runs; call StopAPIServer first")
	}
	c.startAPIServer()
}

// PauseEtcd stops etcd's process short: requests that need it hang, as with a disk that does not answer.
func (c *Cluster) PauseEtcd() {
	c.t.Helper()
	c.etcd.signal(c.t, syscall.SIGSTOP)
}

// ResumeEtcd lets etcd go on.
func (c *Cluster) ResumeEtcd() {
	c.t.Helper()
	c.etcd.signal(c.t, syscall.SIGCONT)
}

// CompactEtcd takes all history away from etcd, as its own compaction does every few minutes. A watch cannot go on from a
// version before it. The API server still has some history of its own, until it is restarted.
func (c *Cluster) CompactEtcd() {
	c.t.Helper()
	var now struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	c.askEtcd("/v3/maintenance/status", map[string]any{}, &now)
	c.askEtcd("/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, &struct{}{})
}

// askEtcd asks through the JSON form of etcd's API.
func (c *Cluster) askEtcd(path string, question, answer any) {
	c.t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		c.t.Fatal(err)
	}
	hc := &http.Client{Timeout: 10 * time.Second}
	defer hc.CloseIdleConnections()
	response, err := hc.Post("http://"+c.hostPort(c.ports.etcd)+path, "application/json", bytes.NewReader(body))
	if err != nil {
		c.t.Fatalf("etcd: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, answer)
	}
	if err != nil {
		c.t.Fatalf("etcd %s: %v", path, err)
	}
}
