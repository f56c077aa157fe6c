package files

import (
	"os"
	"path/filepath"
)

// disk is how a set reads, a parameter so that tests can let each call fail.
type disk struct {
	stat    func(path string) (os.FileInfo, error)
	follow  func(path string) (string, error)
	readDir func(path string) ([]os.DirEntry, error)
	read    func(path string) ([]byte, error)
}

func realDisk() disk {
	return disk{stat: os.Stat, follow: filepath.EvalSymlinks, readDir: os.ReadDir, read: os.ReadFile}
}

// below tells whether a path is strictly below a folder.
func below(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != "." && filepath.IsLocal(rel)
}
