package unpack

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// meter counts what comes out of a decompressor against Limits.Total, so that a small bomb cannot keep a processor busy.
func (s *Scanner) meter(r io.Reader) io.Reader { return &meter{s, r} }

type meter struct {
	s *Scanner
	r io.Reader
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.s.total += int64(n)
	if m.s.total > m.s.limits.Total {
		return n, errf("it unpacks to more than %s; an image for a plugin holds the plugin alone", size(m.s.limits.Total))
	}
	return n, err
}

// WriteError is an error of the file that the module was written to.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }

// Unwrap gives the disk's error.
func (e *WriteError) Unwrap() error { return e.Err }

// sink marks the errors of the file, so that they are not taken for errors of the content.
type sink struct{ f Temp }

func (s sink) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if err != nil {
		err = &WriteError{err}
	}
	return n, err
}

// packed turns the errors of decompressors and of the tar reader, of which there are many kinds, into content errors.
func packed(err error) error {
	var content *Error
	var write *WriteError
	switch {
	case errors.As(err, &content), errors.As(err, &write):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errf("it is truncated: the packed data ends too early")
	}
	return errf("its packed data is damaged (%v)", err)
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func list(names map[string]bool) string {
	return clip(strings.Join(slices.Sorted(maps.Keys(names)), ", "), 300)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
