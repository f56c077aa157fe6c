// Package wasmtest builds the proxy-wasm modules that tests load into real proxies, from sources: no binary is checked in.
// A module is built once per content of its sources and kept below .tools/wasmtest of the repository.
package wasmtest

import (
	"encoding/binary"
	"os"
)

// TB is what of testing.TB this package needs; the demo, which is no test, uses Build.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Module names a module that Build knows.
type Module string

const (
	// ModuleMarker is an HTTP plugin that leaves its name on requests (header x-plugins) and responses
	// (x-plugins-response), in running order, joined by commas. README.md has its configuration.
	ModuleMarker Module = "marker"
	// ModuleTCP is a network plugin that lets everything through and writes "[name]" before the first bytes of a
	// connection, behind the marks of earlier plugins. README.md has its configuration.
	ModuleTCP Module = "tcp"
	// ModuleUnlinkable is well-formed and imports a function that no proxy has: checks that do not know the proxy's
	// functions pass it, and the proxy refuses it.
	ModuleUnlinkable Module = "unlinkable"
	// ModuleBasicAuth is plugins/basic-auth.
	ModuleBasicAuth Module = "basic-auth"
)

// Build returns the module's bytes, compiling it if its sources changed since the last time. The working directory has to
// be inside the repository. The error holds the failed command and what it printed.
func Build(m Module) ([]byte, error) {
	file, err := BuildFile(m)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// Marker is Build(ModuleMarker) for tests.
func Marker(t TB) []byte { t.Helper(); return must(t, ModuleMarker) }

// TCP is Build(ModuleTCP) for tests.
func TCP(t TB) []byte { t.Helper(); return must(t, ModuleTCP) }

// BasicAuth is Build(ModuleBasicAuth) for tests.
func BasicAuth(t TB) []byte { t.Helper(); return must(t, ModuleBasicAuth) }

// Unlinkable is Build(ModuleUnlinkable) for tests.
func Unlinkable(t TB) []byte { t.Helper(); return must(t, ModuleUnlinkable) }

func must(t TB, m Module) []byte {
	t.Helper()
	module, err := Build(m)
	if err != nil {
		t.Fatalf("building the module %s: %v", m, err)
	}
	return module
}

// Unique returns a module that does the same as base and differs from it in digest, by a custom section that holds seed.
// Equal seeds give equal bytes.
func Unique(base []byte, seed string) []byte {
	const name = "wasmpoint.seed"
	body := append(binary.AppendUvarint(nil, uint64(len(name))), name...)
	body = append(body, seed...)
	out := append(make([]byte, 0, len(base)+len(body)+11), base...)
	out = append(out, 0) // the id of custom sections
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

// BrokenCode returns a module whose structure, memory and ABI export are in order and whose only function does not return
// the number that its type promises: only a compiler notices.
func BrokenCode() []byte {
	const abi = "proxy_abi_version_0_2_1"
	exports := append([]byte{2, byte(len(abi))}, abi...)
	exports = append(exports, 0, 0) // function 0
	exports = append(exports, 6)
	exports = append(exports, "memory"...)
	exports = append(exports, 2, 0) // memory 0
	out := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	for _, s := range []struct {
		id   byte
		body []byte
	}{
		{1, []byte{1, 0x60, 0, 1, 0x7f}}, // type 0: () -> i32
		{3, []byte{1, 0}},                // function 0 is of type 0
		{5, []byte{1, 0, 1}},             // memory 0: one page
		{7, exports},
		{10, []byte{1, 2, 0, 0x0b}}, // the body of function 0: no locals, end
	} {
		out = append(out, s.id, byte(len(s.body)))
		out = append(out, s.body...)
	}
	return out
}
