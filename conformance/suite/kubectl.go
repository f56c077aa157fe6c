package suite

import (
	"bytes"
	"os/exec"
	"strings"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// Kubectl runs kubectl in the test's namespace and gives what it printed. A failure fails the test.
func (w *World) Kubectl(args ...string) string {
	w.t.Helper()
	cmd := exec.Command(testcluster.Binary(w.t, "kubectl"), append([]string{"--kubeconfig", w.Kubeconfig, "--namespace", w.Namespace}, args...)...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), problems.String())
	}
	return out.String()
}
