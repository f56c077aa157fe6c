package store_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules/store"
)

func put(t *testing.T, s *store.Store, text string) string {
	t.Helper()
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	digest, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAModuleSurvivesAReopenAndLeftoversDoNot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	digest := put(t, s, "module")
	if _, err := s.Create(); err != nil { // never committed, as after a crash
		t.Fatal(err)
	}
	s = open(t, dir)
	f, size, err := s.Open(digest)
	if err != nil || size != 6 {
		t.Fatal(size, err)
	}
	f.Close()
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
}

func TestADamagedFileIsNeverOpened(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"changed":   func(p string) error { return os.WriteFile(p, []byte("modulf"), 0o644) },
		"truncated": func(p string) error { return os.Truncate(p, 3) },
		"removed":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			digest := put(t, open(t, dir), "module")
			s := open(t, dir)
			if err := damage(filepath.Join(dir, "sha256", digest+".wasm")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Open(digest); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("first: %v", err)
			}
			if _, _, err := s.Open(digest); !errors.Is(err, store.ErrUnknown) {
				t.Errorf("then: %v", err)
			}
			if again := put(t, s, "module"); again != digest {
				t.Error("cannot be stored again")
			}
		})
	}
}

func TestRemovalAndReturnOfAModuleDoNotLoseIt(t *testing.T) {
	s := open(t, t.TempDir())
	digest := put(t, s, "module")
	for range 50 {
		var wg sync.WaitGroup
		s.Drop(digest)
		wg.Add(2)
		go func() { defer wg.Done(); put(t, s, "module") }()
		go func() { defer wg.Done(); _ = s.Remove(digest) }()
		wg.Wait()
		f, _, err := s.Open(digest)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}
