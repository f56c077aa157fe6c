package modules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

func TestFilesAreReadBelowTheirFolderAlone(t *testing.T) {
	base := t.TempDir()
	folder := filepath.Join(base, "modules")
	if err := os.MkdirAll(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"modules/sub/in.wasm", "out.wasm"} {
		if err := os.WriteFile(filepath.Join(base, path), wasmtest.Plugin(""), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"way-out.wasm": "../out.wasm", "way-in.wasm": "sub/in.wasm", "whole": "/"} {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		folder + "/sub/in.wasm":                "",
		folder + "/way-in.wasm":                "",
		folder + "/sub/../sub/in.wasm":         "",
		base + "/out.wasm":                     "is not below " + folder,
		folder + "/../out.wasm":                "is not below " + folder,
		folder + "/way-out.wasm":               "escapes",
		folder + "/whole" + base + "/out.wasm": "escapes",
		folder + "/sub":                        "is a folder",
		folder + "/none.wasm":                  "there is no file",
	} {
		if got := fileError(t, folder, path); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", strings.TrimPrefix(path, base), got, want)
		}
	}
	if got := fileError(t, "", folder+"/sub/in.wasm"); !strings.Contains(got, "files are not allowed here") || !strings.Contains(got, "--module-dir") {
		t.Errorf("without a folder: %q", got)
	}
}

// fileError is what a manager says of a file, "" if it is ready.
func fileError(t *testing.T, folder, path string) string {
	t.Helper()
	m := startAs(t, modules.Options{Files: folder})
	m.Want("o", modules.Source{URL: "file://" + path, Generation: 1})
	return m.await("o", func(s modules.State) bool { return s.Ready || s.Err != "" }).Err
}
