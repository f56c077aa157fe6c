package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Binary finds etcd, kube-apiserver, kube-controller-manager or kubectl in $KUBEBUILDER_ASSETS, or else where
// `make kubernetes` installs them. A missing binary fails the test with that command.
func Binary(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		root, err := repositoryRoot()
		if err != nil {
			t.Fatalf("%s: %v; set KUBEBUILDER_ASSETS to the folder that `make kubernetes` filled", name, err)
		}
		dir = filepath.Join(root, ".tools", "kubernetes", "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed (%v): run `make kubernetes`, or set KUBEBUILDER_ASSETS to a folder that has it", name, err)
	}
	return path
}

// repositoryRoot is the folder of our go.mod, above the working directory of a test.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		// Plugins are modules of their own; only the root has both.
		_, noModule := os.Stat(filepath.Join(dir, "go.mod"))
		_, noMakefile := os.Stat(filepath.Join(dir, "Makefile"))
		if err := errors.Join(noModule, noMakefile); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("the working directory is not below the repository")
		}
	}
}
