// Package unpack finds the one WebAssembly module in a stream, whatever it is packed in: nothing, gzip, zstd, tar, or any
// of these in each other. It decides by content, never by name or media type, reads streams only, and allocates nothing
// from sizes that the stream declares.
package unpack

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/wasmpoint/wasmpoint/modules/inspect"
)

// PluginName is the base name that a module has in an image.
const PluginName = "plugin.wasm"

// Limits bound what one scan may cost. Exceeding one is an error, never a silent cut.
type Limits struct {
	// Module is the largest module in bytes.
	Module int64
	// Total is how many bytes all streams of a scan may have after decompression.
	Total int64
	// Entries is how many tar entries a scan may meet.
	Entries int
}

// Temp is a file that is being written. Discard throws it away; it may be called after the file was taken.
type Temp interface {
	io.Writer
	Discard()
}

// Error says why no module was found, in words for the user.
type Error struct{ msg string }

func (e *Error) Error() string { return e.msg }

func errf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Scanner searches one or more streams (the layers of an image, last layer first) for the module:
// plugin.wasm in any folder wins; a raw module is one, too; otherwise the only *.wasm file there is.
type Scanner struct {
	limits  Limits
	create  func() (Temp, error)
	best    Temp
	single  Temp
	names   map[string]bool // candidates besides plugin.wasm
	seen    []string
	entries int
	total   int64
}

// New starts a scan. create makes the files that modules are written to.
func New(limits Limits, create func() (Temp, error)) *Scanner {
	return &Scanner{limits: limits, create: create, names: map[string]bool{}}
}

// Found says whether the search is over: no further stream can change the result.
func (s *Scanner) Found() bool { return s.best != nil }

// Scan searches one stream. label names it in messages ("layer 2, application/…"). A returned *Error is about the content,
// a *WriteError about the disk. An error of r itself may come back as either a content error or as it is: the caller, who
// made r, must look at r first. Scan need not read r to its end: the caller does, to check its digest.
func (s *Scanner) Scan(r io.Reader, label string) error {
	what, err := s.scan(r, 0)
	if err != nil {
		err = packed(err)
		var content *Error
		if errors.As(err, &content) && label != "" {
			return errf("%s: %s", label, content.msg)
		}
		return err
	}
	if label != "" {
		what = label + ": " + what
	}
	s.seen = append(s.seen, what)
	return nil
}

// Result hands over the module's file, or says what was seen instead. The caller owns the file.
func (s *Scanner) Result() (Temp, error) {
	file := s.best
	if file == nil && len(s.names) == 1 {
		file = s.single
	}
	if file != nil {
		if file == s.best {
			s.best = nil
		} else {
			s.single = nil
		}
		return file, nil
	}
	if len(s.names) > 1 {
		return nil, errf("several modules and none named %s: %s; name the right one %s", PluginName, list(s.names), PluginName)
	}
	if len(s.seen) == 0 {
		return nil, errf("there is nothing in it; put the module in as %s", PluginName)
	}
	return nil, errf("no WebAssembly module in it; seen: %s; put the module in as %s", clip(strings.Join(s.seen, "; "), 600), PluginName)
}

// Close discards the files that Result did not hand over.
func (s *Scanner) Close() {
	for _, t := range []Temp{s.best, s.single} {
		if t != nil {
			t.Discard()
		}
	}
	s.best, s.single = nil, nil
}

// scan decides by content what r is and returns a description of it.
func (s *Scanner) scan(r io.Reader, depth int) (string, error) {
	if depth > 4 {
		return "", errf("it is packed in more than four layers of gzip or zstd; pack it once")
	}
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case has("\x00asm"):
		return "a module", s.keep(br, &s.best)
	case has("\x1f\x8b"):
		zr, err := gzip.NewReader(br)
		if err != nil {
			return "", err
		}
		what, err := s.scan(s.meter(zr), depth+1)
		return "gzip of " + what, err
	case has("\x28\xb5\x2f\xfd"):
		// One goroutine, and a window of at most 32 MiB: memory does not depend on what the stream claims.
		zr, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return "", err
		}
		defer zr.Close()
		what, err := s.scan(s.meter(zr), depth+1)
		return "zstd of " + what, err
	case len(head) > 262 && string(head[257:262]) == "ustar", len(head) == 512 && allZero(head):
		return s.tar(br)
	}
	return strings.TrimPrefix(inspect.LooksLike(head), "it is "), nil
}

// tar searches an archive. A later entry of the same name replaces an earlier one, as it does when an archive is unpacked.
func (s *Scanner) tar(r io.Reader) (string, error) {
	tr := tar.NewReader(r)
	var names []string
	var here Temp
	defer func() {
		if here != nil {
			here.Discard()
		}
	}()
	count := 0
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if s.entries++; s.entries > s.limits.Entries {
			return "", errf("it has more than %d files; an image for a plugin holds the plugin alone", s.limits.Entries)
		}
		if h.Typeflag != tar.TypeReg {
			if path.Base(h.Name) == PluginName && h.Typeflag != tar.TypeDir {
				names = append(names, h.Name+" (a link, which is not followed)")
			}
			continue
		}
		if count++; len(names) < 5 {
			names = append(names, clip(h.Name, 80))
		}
		if err := s.entry(h.Name, tr, &here); err != nil {
			return "", err
		}
	}
	if here != nil {
		s.best, here = here, nil
	}
	if count == 0 && len(names) == 0 {
		return "an empty tar archive", nil
	}
	return fmt.Sprintf("a tar archive of %d files (%s)", count, strings.Join(names, ", ")), nil
}

// entry looks at one file of an archive.
func (s *Scanner) entry(name string, r io.Reader, best *Temp) error {
	if path.Base(name) == PluginName {
		return s.keep(r, best)
	}
	br := bufio.NewReader(r)
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// The suffix alone counts as well: a damaged x.wasm deserves a message about itself.
	if string(head) != "\x00asm" && !strings.HasSuffix(name, ".wasm") {
		return nil
	}
	clean := path.Clean("/" + name)
	if len(s.names) > 0 {
		if len(s.names) < 10 {
			s.names[clean] = true
		}
		return nil
	}
	s.names[clean] = true
	return s.keep(br, &s.single)
}

// keep writes r into a new file at *slot, in place of the one that is there.
func (s *Scanner) keep(r io.Reader, slot *Temp) error {
	f, err := s.create()
	if err != nil {
		return &WriteError{err}
	}
	n, err := io.Copy(sink{f}, io.LimitReader(r, s.limits.Module+1))
	if err == nil && n > s.limits.Module {
		err = errf("the module is larger than the limit of %s", size(s.limits.Module))
	}
	if err != nil {
		f.Discard()
		return err
	}
	if *slot != nil {
		(*slot).Discard()
	}
	*slot = f
	return nil
}
