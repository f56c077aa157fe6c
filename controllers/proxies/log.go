package proxies

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// rotatingFile is a log file that is moved to NAME.1 (and that to NAME.2 and so on) before it grows over max bytes.
type rotatingFile struct {
	path string
	max  int64
	keep int

	mu   sync.Mutex
	file *os.File
	size int64
}

// openRotating opens a log for appending. At most keep old files stay.
func openRotating(path string, maxBytes int64, keep int) (*rotatingFile, error) {
	r := &rotatingFile{path: path, max: maxBytes, keep: keep}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return r, r.open()
}

func (r *rotatingFile) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	r.file, r.size = f, info.Size()
	return nil
}

// Write never splits p over two files.
func (r *rotatingFile) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return 0, os.ErrClosed
	}
	if r.size > 0 && r.size+int64(len(p)) > r.max {
		if err := r.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(p)
	r.size += int64(n)
	return n, err
}

func (r *rotatingFile) rotate() error {
	if err := r.file.Close(); err != nil {
		return err
	}
	r.file = nil
	for i := r.keep; i > 0; i-- {
		from := r.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", r.path, i-1)
		}
		// A missing old file is the normal case in the beginning.
		_ = os.Rename(from, fmt.Sprintf("%s.%d", r.path, i))
	}
	if r.keep == 0 {
		_ = os.Remove(r.path)
	}
	return r.open()
}

func (r *rotatingFile) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// tail passes everything on and remembers the end, so that an exit can be explained. It never fails: Envoy must not
// stop because a disk is full.
type tail struct {
	to io.Writer

	mu  sync.Mutex
	end []byte
}

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.end = append(t.end, p...)
	if len(t.end) > tailBytes {
		t.end = bytes.Clone(t.end[len(t.end)-tailBytes:])
	}
	t.mu.Unlock()
	_, _ = t.to.Write(p)
	return len(p), nil
}

// reset forgets the end, for a new process.
func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = nil
}

// reason is the last line of severity error or critical, or else the last line if there is no other explanation.
func (t *tail) reason(otherwise bool) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.end)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "[critical]") || strings.Contains(lines[i], "[error]") {
			return strings.TrimSpace(lines[i])
		}
	}
	if !otherwise {
		return ""
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
