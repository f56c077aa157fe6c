package files

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkOneChangeAmongFiveHundredFiles is what the watcher does between an event and onChange.
func BenchmarkOneChangeAmongFiveHundredFiles(b *testing.B) {
	dir := b.TempDir()
	for i := range 500 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", i)), []byte(plugin(fmt.Sprintf("p%03d", i), "oci://x/1")), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	s := newSet([]string{dir}, nil)
	s.refresh(time.Time{}, nil)
	path := filepath.Join(dir, "250.yaml")
	for i := 0; b.Loop(); i++ {
		if err := os.WriteFile(path, []byte(plugin("p250", fmt.Sprintf("oci://x/%d", i))), 0o644); err != nil {
			b.Fatal(err)
		}
		s.refresh(time.Time{}, func(p string) bool { return p == path })
		if r := s.result(); len(r.Plugins) != 500 {
			b.Fatal(len(r.Plugins))
		}
	}
}
