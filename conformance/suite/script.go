package suite

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// Script runs the lines of a shell in a folder that has these files below a path, with kubectl in the test's namespace, and
// gives what they printed. The first line that fails fails the test. replace changes the files before, as a
// strings.Replacer does.
func (w *World) Script(lines string, files fs.FS, below string, replace *strings.Replacer) string {
	w.t.Helper()
	root := w.t.TempDir()
	must(w.t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		to := filepath.Join(root, below, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(replace.Replace(string(raw))), 0o600)
	}))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	kubectl := `kubectl() { command "$KUBECTL" --kubeconfig "$CLUSTER" --namespace "$NAMESPACE" "$@"; }` + "\n"
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", kubectl+lines)
	cmd.Dir = root
	file, err := filepath.Abs(w.Kubeconfig)
	must(w.t, err)
	cmd.Env = append(os.Environ(), "KUBECTL="+testcluster.Binary(w.t, "kubectl"), "CLUSTER="+file, "NAMESPACE="+w.Namespace)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
