package wasmtest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

//go:embed testdata/*.c testdata/*.h
var sources embed.FS

// building holds one lock per module, so that parallel tests of a process do not build the same thing twice. Processes
// keep apart by a file lock.
var building sync.Map

// BuildFile is Build for who wants a file: its path carries the digest of the sources, and its content never changes.
func BuildFile(m Module) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	compile, key, err := recipe(root, m)
	if err != nil {
		return "", err
	}
	file := filepath.Join(toolsDir(root), "wasmtest", fmt.Sprintf("%s-%s.wasm", m, key))
	one, _ := building.LoadOrStore(file, &sync.Mutex{})
	one.(*sync.Mutex).Lock()
	defer one.(*sync.Mutex).Unlock()
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(file + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(file); err == nil {
		return file, nil // another process was faster
	}
	work, err := os.MkdirTemp(filepath.Dir(file), "build-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	out := filepath.Join(work, "out.wasm")
	if err := compile(work, out); err != nil {
		return "", err
	}
	return file, os.Rename(out, file)
}

// recipe returns how to build a module in a working directory, and the digest of all that the result depends on.
func recipe(root string, m Module) (compile func(work, out string) error, key string, err error) {
	switch m {
	case ModuleMarker, ModuleTCP, ModuleUnlinkable:
		all, err := fs.Sub(sources, "testdata")
		if err != nil {
			return nil, "", err
		}
		name := string(m) + ".c"
		key, err := digest(all, zigVersion+strings.Join(cFlags, " "), func(path string) bool {
			return path == name || filepath.Ext(path) == ".h"
		})
		return func(work, out string) error { return compileC(root, all, name, work, out) }, key, err
	case ModuleBasicAuth:
		dir := filepath.Join(root, "plugins", "basic-auth")
		key, err := digest(os.DirFS(dir), runtime.Version()+strings.Join(goFlags, " "), func(path string) bool {
			if strings.HasSuffix(path, "_test.go") {
				return false
			}
			return filepath.Ext(path) == ".go" || path == "go.mod" || path == "go.sum"
		})
		return func(_, out string) error { return compileGo(dir, out) }, key, err
	}
	return nil, "", fmt.Errorf("there is no module %q; wasmtest has marker, tcp, unlinkable and basic-auth", m)
}

// digest covers names and contents of the files that count, and extra.
func digest(dir fs.FS, extra string, counts func(path string) bool) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", extra)
	var files []string
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && counts(path) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the module's sources: %w", err)
	}
	slices.Sort(files)
	for _, f := range files {
		data, err := fs.ReadFile(dir, f)
		if err != nil {
			return "", fmt.Errorf("reading the module's sources: %w", err)
		}
		fmt.Fprintf(h, "%q %d\n", f, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// repository finds the repository that the working directory is in: tests run in their package's folder, the demo in the
// root.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/wasmpoint/wasmpoint\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the wasmpoint repository; run this from there", start)
		}
	}
}

// toolsDir is the ignored folder for everything that installs or builds itself.
func toolsDir(root string) string { return filepath.Join(root, ".tools") }
