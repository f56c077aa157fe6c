package wasmtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// zigVersion is the version of ziglang, a Python package with a C compiler for WebAssembly: the only one that needs no
// system package. Modules from it have 10 KB, where those from Go have 3 MB and take a proxy seconds to compile.
const zigVersion = "0.13.0.post1"

// cFlags: a reactor is a module without main; the default stack would be 16 MiB per VM.
var cFlags = []string{"--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
	"-Wno-unused-parameter", "-Wno-unused-function", "-Wl,-z,stack-size=65536"}

// goFlags are those of the build command in plugins/basic-auth/README.md, and what makes the bytes the same everywhere.
var goFlags = []string{"build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w"}

func compileC(root string, all fs.FS, name, work, out string) error {
	python, packages, err := installZig(root)
	if err != nil {
		return err
	}
	for _, f := range []string{name, "proxywasm.h"} {
		data, err := fs.ReadFile(all, f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, f), data, 0o644); err != nil {
			return err
		}
	}
	args := append([]string{"-m", "ziglang", "cc"}, cFlags...)
	cmd := exec.Command(python, append(args, "-o", out, name)...)
	cmd.Dir = work
	// The compiler's own caches belong beside it, not into the home directory.
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages, "ZIG_GLOBAL_CACHE_DIR="+packages+"-cache",
		"ZIG_LOCAL_CACHE_DIR="+packages+"-cache")
	return run(cmd)
}

func compileGo(dir, out string) error {
	cmd := exec.Command("go", append(append([]string(nil), goFlags...), "-o", out, ".")...)
	cmd.Dir = dir
	// Flags and workspace of the caller are not the plugin's.
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off")
	return run(cmd)
}

// installZig puts the pinned compiler below .tools, once, and returns the Python to run it with and its folder. The mark of
// a complete installation carries the version, so that another version replaces it.
func installZig(root string) (python, packages string, err error) {
	const pinned = "ziglang==" + zigVersion
	if python, err = exec.LookPath("python3"); err != nil {
		return "", "", fmt.Errorf("the test modules are compiled by the Python package %s, and there is no python3: install Python 3 with pip", pinned)
	}
	packages = filepath.Join(toolsDir(root), "zig")
	done := packages + "-" + zigVersion + ".done"
	unlock, err := lock(packages + ".lock")
	if err != nil {
		return "", "", err
	}
	defer unlock()
	if _, err := os.Stat(done); err == nil {
		return python, packages, nil
	}
	if err := os.RemoveAll(packages); err != nil {
		return "", "", err
	}
	cmd := exec.Command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary=:all:", "--target", packages, pinned)
	cmd.Env = append(os.Environ(), "PIP_ROOT_USER_ACTION=ignore")
	if err := run(cmd); err != nil {
		return "", "", err
	}
	return python, packages, os.WriteFile(done, nil, 0o644)
}

// lock waits for the file's lock, which the system drops when this process ends.
func lock(name string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s (in %s): %w\n%s", strings.Join(cmd.Args, " "), cmd.Dir, err, out)
	}
	return nil
}
