// Package wasmtest assembles tiny WebAssembly modules for tests, byte by byte, so that tests need no compiler.
package wasmtest

import "encoding/binary"

// Section is one section of a module: its id and its content without the length.
type Section struct {
	ID   byte
	Body []byte
}

// Header is the eight bytes that a core module of version 1 begins with.
var Header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Assemble writes a core module of the given sections, in the given order, good or bad.
func Assemble(sections ...Section) []byte {
	out := append([]byte(nil), Header...)
	for _, s := range sections {
		out = append(out, s.ID)
		out = binary.AppendUvarint(out, uint64(len(s.Body)))
		out = append(out, s.Body...)
	}
	return out
}

// Name writes a length and a text, as names stand in modules.
func Name(s string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(s))), s...)
}

// Custom is a custom section of the given name and data.
func Custom(name string, data []byte) Section { return Section{0, append(Name(name), data...)} }

// Export is an entry of the export section; Kind 0 is a function, 2 a memory. The index is always 0.
type Export struct {
	Name string
	Kind byte
}

// Exports is an export section.
func Exports(list ...Export) Section {
	body := binary.AppendUvarint(nil, uint64(len(list)))
	for _, e := range list {
		body = append(append(body, Name(e.Name)...), e.Kind, 0)
	}
	return Section{7, body}
}

// The sections of one function without parameters, results and statements, and of a memory of one page.
var (
	Types     = Section{1, []byte{1, 0x60, 0, 0}}
	Functions = Section{3, []byte{1, 0}}
	Memory    = Section{5, []byte{1, 0, 1}}
	Code      = Section{10, []byte{1, 2, 0, 0x0b}}
)

// Plugin is a complete module that passes inspection as a proxy-wasm plugin of ABI 0.2.1. Different salts give modules with
// different digests.
func Plugin(salt string) []byte { return PluginSized(salt, 0) }

// PluginSized is Plugin with the given number of additional bytes that do not compress well.
func PluginSized(salt string, extra int) []byte {
	noise := make([]byte, extra)
	x := uint32(len(salt))*2654435761 + 12345
	for i := range noise {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	return Assemble(Types, Functions, Memory,
		Exports(Export{"memory", 2}, Export{"proxy_abi_version_0_2_1", 0}),
		Code, Custom("salt", append([]byte(salt), noise...)))
}
