// Package store keeps modules as files named by their SHA-256: <dir>/sha256/<digest>.wasm. A file appears under its name
// only when it is complete and on disk; nothing is served before its bytes were compared with its name in this process.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// ErrUnknown is returned for a digest that the store does not hold.
var ErrUnknown = errors.New("unknown module")

// ErrCorrupt is returned (once per file) when a stored file did not have the bytes that its name promises. The file is gone
// then, and the digest unknown.
var ErrCorrupt = errors.New("the stored module is damaged")

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsDigest says whether s is 64 lower-case hex digits.
func IsDigest(s string) bool { return digestForm.MatchString(s) }

// Store is a folder of modules. Its methods are safe for concurrent use; none holds a lock during I/O.
type Store struct {
	dir string
	mu  sync.Mutex
	// modules are the complete files.
	modules map[string]*entry
	// busy holds a channel for each digest whose file is just being renamed into place or removed.
	busy map[string]chan struct{}
}

type entry struct {
	size   int64
	proven bool
	check  chan struct{} // closed when a running check has ended
}

// Open opens or makes the store in dir and finds the modules that are there. Left-over temporary files are removed.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, modules: map[string]*entry{}, busy: map[string]chan struct{}{}}
	if err := os.MkdirAll(filepath.Join(dir, "sha256"), 0o755); err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	files, err := os.ReadDir(filepath.Join(dir, "sha256"))
	if err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	for _, f := range files {
		digest, ok := strings.CutSuffix(f.Name(), ".wasm")
		if !ok || !IsDigest(digest) {
			continue
		}
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			s.modules[digest] = &entry{size: info.Size()}
		}
	}
	return s, nil
}

func (s *Store) path(digest string) string { return filepath.Join(s.dir, "sha256", digest+".wasm") }

// Size is a module's length in bytes; ok is false if it is not here.
func (s *Store) Size(digest string) (size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.modules[digest]
	if !ok {
		return 0, false
	}
	return e.size, true
}

// Digests lists the modules, in no order.
func (s *Store) Digests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.modules))
	for d := range s.modules {
		list = append(list, d)
	}
	return list
}

// Open opens a module for reading after its bytes were compared with its digest, once per process. Errors: ErrUnknown,
// ErrCorrupt, or the disk's.
func (s *Store) Open(digest string) (*os.File, int64, error) {
	for {
		s.mu.Lock()
		e, ok := s.modules[digest]
		if !ok {
			s.mu.Unlock()
			return nil, 0, ErrUnknown
		}
		if e.proven {
			s.mu.Unlock()
			break
		}
		if wait := e.check; wait != nil {
			s.mu.Unlock()
			<-wait
			continue
		}
		done := make(chan struct{})
		e.check = done
		s.mu.Unlock()
		err := s.prove(digest, e)
		s.mu.Lock()
		e.proven, e.check = err == nil, nil
		if errors.Is(err, ErrCorrupt) && s.modules[digest] == e {
			delete(s.modules, digest)
		}
		s.mu.Unlock()
		close(done)
		if errors.Is(err, ErrCorrupt) {
			_ = s.unlink(digest) // a file that stays is unknown, and replaced when the module comes again
		}
		if err != nil {
			return nil, 0, err
		}
	}
	f, err := os.Open(s.path(digest))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			// Somebody removed the file behind our back: forget it, so that it is fetched again.
			s.mu.Lock()
			delete(s.modules, digest)
			s.mu.Unlock()
			return nil, 0, ErrCorrupt
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// prove compares the file's bytes with its name.
func (s *Store) prove(digest string, e *entry) error {
	f, err := os.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrCorrupt
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != e.size || hex.EncodeToString(h.Sum(nil)) != digest {
		return ErrCorrupt
	}
	return nil
}

// Drop makes a module unknown at once. Its file stays until Remove.
func (s *Store) Drop(digest string) {
	s.mu.Lock()
	delete(s.modules, digest)
	s.mu.Unlock()
}

// Remove removes the file of a dropped module, unless the module has come back meanwhile. A file that is gone already
// counts as removed.
func (s *Store) Remove(digest string) error { return s.unlink(digest) }

// unlink removes the file, unless it has come back meanwhile.
func (s *Store) unlink(digest string) error {
	release := s.lock(digest)
	defer release()
	if _, back := s.Size(digest); back {
		return nil
	}
	if err := os.Remove(s.path(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lock serialises changes of one digest's file without holding the store's lock during I/O.
func (s *Store) lock(digest string) (release func()) {
	for {
		s.mu.Lock()
		wait, taken := s.busy[digest]
		if !taken {
			done := make(chan struct{})
			s.busy[digest] = done
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, digest)
				s.mu.Unlock()
				close(done)
			}
		}
		s.mu.Unlock()
		<-wait
	}
}

// Writer is a module that is being written. It is used by one goroutine.
type Writer struct {
	s    *Store
	f    *os.File
	hash hash.Hash
	size int64
	done bool
}

// Create begins a new module.
func (s *Store) Create() (*Writer, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "module-")
	if err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	return &Writer{s: s, f: f, hash: sha256.New()}, nil
}
