//go:build faults

package controller

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// audit is the API server's own record of what the controllers wrote.
type audit struct {
	t    *testing.T
	path string
}

// write is one request of a controller that changes something.
type write struct {
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Namespace, Name, Subresource string }
	Response  struct{ Code int } `json:"responseStatus"`
	Received  time.Time          `json:"requestReceivedTimestamp"`
}

// by tells whether a replica wrote it.
func (a write) by(replica string) bool { return a.UserAgent == "wasmpoint/"+replica }

// isStatus tells whether it was a status: what only the leader may write.
func (a write) isStatus() bool { return a.ObjectRef.Subresource == "status" }

// withAudit has the API server record.
func withAudit(t *testing.T) (*audit, testcluster.Option) {
	t.Helper()
	dir := t.TempDir()
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(`
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: ["system:serviceaccount:`+namespace+`:wasmpoint"]
  verbs: [create, update, patch, delete]
- level: None
`), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &audit{t: t, path: filepath.Join(dir, "audit.log")}
	return a, testcluster.WithAPIServerFlags("--audit-policy-file="+policy, "--audit-log-path="+a.path)
}

// writes are those that were received since a time and that a filter takes.
func (a *audit) writes(since time.Time, want func(write) bool) []write {
	a.t.Helper()
	f, err := os.Open(a.path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []write
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.HasSuffix(lines.Text(), "}") {
			break // is being written
		}
		var e write
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			a.t.Fatal(err)
		}
		if e.Received.After(since) && want(e) {
			out = append(out, e)
		}
	}
	if err := lines.Err(); err != nil {
		a.t.Fatal(err)
	}
	return out
}
