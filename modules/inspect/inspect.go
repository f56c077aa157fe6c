// Package inspect reads the structure of a WebAssembly module without running it and says whether a proxy could use it as
// a proxy-wasm plugin. It walks every section to the end, so a truncated module never passes.
package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Kind is what an import or export is.
type Kind byte

// The kinds of the WebAssembly binary format.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
	KindTag
)

// Import is one entry of the import section.
type Import struct {
	Module, Name string
	Kind         Kind
}

// Export is one entry of the export section.
type Export struct {
	Name string
	Kind Kind
}

// Info is what a module says about itself.
type Info struct {
	// ABI is the proxy-wasm ABI version of the module's proxy_abi_version_* export: "0.1.0", "0.2.0" or "0.2.1".
	ABI string
	// Size is the module's length in bytes.
	Size int64
	// Imports and Exports stand in the module's order.
	Imports []Import
	Exports []Export
	// MemoryMin and MemoryMax are the declared limits of the module's own memory in pages of 64 KiB; MemoryMax is 0 when
	// there is none.
	MemoryMin, MemoryMax uint64
}

// abiPrefix begins the name of the export that carries the ABI version.
const abiPrefix = "proxy_abi_version_"

// abiVersions are the ABI versions that Envoy's host knows.
var abiVersions = map[string]string{"0_1_0": "0.1.0", "0_2_0": "0.2.0", "0_2_1": "0.2.1"}

// Plugin reads a module from r to its end and checks that it is a complete core module of version 1 that exports a memory
// and a known proxy_abi_version_* function. Errors of r itself come back wrapped; every other error is an *Error.
func Plugin(r io.Reader) (Info, error) {
	info, err := Module(r)
	if err != nil {
		return info, err
	}
	memory := false
	var unknown []string
	for _, e := range info.Exports {
		if e.Kind == KindMemory {
			memory = true
		}
		version, ok := strings.CutPrefix(e.Name, abiPrefix)
		if !ok || e.Kind != KindFunc {
			continue
		}
		if abi := abiVersions[version]; abi == "" {
			unknown = append(unknown, e.Name)
		} else if info.ABI == "" {
			// Envoy's host takes the first one, too.
			info.ABI = abi
		}
	}
	switch {
	case info.ABI == "" && unknown != nil:
		return info, errf("the module exports %s, an ABI version that Envoy does not know; build it with an SDK for proxy-wasm ABI 0.1.0, 0.2.0 or 0.2.1",
			clip(strings.Join(unknown, ", "), 200))
	case info.ABI == "":
		return info, errf("the module exports no proxy_abi_version_* function, so it is no proxy-wasm plugin; build it with a proxy-wasm SDK%s", hint(info))
	case !memory:
		return info, errf("the module exports no memory, so a proxy cannot exchange data with it; export its memory under the name \"memory\"")
	}
	return info, nil
}

// hint recognises programs that were built for another host.
func hint(info Info) string {
	start := false
	for _, e := range info.Exports {
		if e.Name == "_start" {
			start = true
		}
	}
	for _, i := range info.Imports {
		if i.Module == "env" && strings.HasPrefix(i.Name, "proxy_") {
			return " as a reactor (in Go: -buildmode=c-shared), so that its functions are exported"
		}
	}
	if start {
		return " (this is a command-line program: it only has a _start function)"
	}
	return ""
}

// Error says why a module cannot be used. Its text needs no further prefix than the module's name.
type Error struct{ msg string }

func (e *Error) Error() string { return e.msg }

func errf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// Module reads a module from r to its end and checks its structure only: header, order and lengths of the sections, and the
// import, memory and export sections in full.
func Module(r io.Reader) (Info, error) {
	p := &parser{r: bufio.NewReaderSize(r, 64<<10)}
	if err := p.module(); err != nil {
		if p.readErr != nil {
			return p.info, fmt.Errorf("reading the module: %w", p.readErr)
		}
		return p.info, err
	}
	p.info.Size = p.pos
	return p.info, nil
}

// header checks the eight bytes that every module begins with.
func (p *parser) header() error {
	head, err := p.r.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) && p.fail(err) != nil {
		return err
	}
	if len(head) < 4 || string(head[:4]) != "\x00asm" {
		return errf("not a WebAssembly module: %s", LooksLike(head))
	}
	if len(head) < 8 {
		return errf("not a WebAssembly module: it ends after %d bytes, within the header", len(head))
	}
	version, layer := uint16(head[4])|uint16(head[5])<<8, uint16(head[6])|uint16(head[7])<<8
	if layer == 1 {
		return errf("this is a WebAssembly component; proxies load core modules: build the plugin for wasm32-wasip1 and do not wrap it into a component")
	}
	if version != 1 || layer != 0 {
		return errf("WebAssembly version %d (layer %d) is not supported; proxies load core modules of version 1", version, layer)
	}
	return p.skip(8)
}
