package store

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write appends to the module.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// Digest is the hex SHA-256 of what was written so far.
func (w *Writer) Digest() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Reader reads what was written, from the beginning.
func (w *Writer) Reader() io.Reader { return io.NewSectionReader(w.f, 0, w.size) }

// Discard throws the module away, unless it was committed.
func (w *Writer) Discard() {
	if w.done {
		return
	}
	w.done = true
	w.f.Close()
	_ = os.Remove(w.f.Name()) // what stays is removed at the next start
}

// Commit makes the module durable and known under its digest. A module that is here already stays as it is.
func (w *Writer) Commit() (digest string, err error) {
	digest = w.Digest()
	defer w.Discard()
	if err := w.f.Chmod(0o644); err != nil {
		return "", fmt.Errorf("module store: %w", err)
	}
	if err := w.f.Sync(); err != nil {
		return "", fmt.Errorf("module store: %w", err)
	}
	release := w.s.lock(digest)
	defer release()
	if err := os.Rename(w.f.Name(), w.s.path(digest)); err != nil {
		return "", fmt.Errorf("module store: %w", err)
	}
	w.done = true
	w.f.Close()
	if err := SyncDir(filepath.Join(w.s.dir, "sha256")); err != nil {
		return "", err
	}
	w.s.mu.Lock()
	// The bytes were hashed on their way to the disk, so they count as compared.
	w.s.modules[digest] = &entry{size: w.size, proven: true}
	w.s.mu.Unlock()
	return digest, nil
}

// WriteFile replaces a file so that a crash leaves either the old or the new content.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // after the rename there is nothing to remove
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	return err
}

// SyncDir makes renames in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
