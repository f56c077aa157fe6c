package inspect

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// LooksLike describes the beginning of something that is no WebAssembly module, for error texts: what it probably is, and
// what to do then. It never repeats more than a few characters of it.
func LooksLike(head []byte) string {
	trimmed := bytes.TrimLeft(head, " \t\r\n\ufeff")
	lower := strings.ToLower(string(trimmed[:min(len(trimmed), 64)]))
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case len(head) == 0:
		return "it is empty"
	case has("\x1f\x8b"):
		return "it is gzip data"
	case has("\x28\xb5\x2f\xfd"):
		return "it is zstd data"
	case has("PK\x03\x04"):
		return "it is a zip archive; serve the .wasm file itself, or pack it with tar or gzip"
	case has("\x7fELF"), has("MZ"), has("\xcf\xfa\xed\xfe"), has("\xfe\xed\xfa\xcf"):
		return "it is a program for a computer, not for WebAssembly; compile it for wasm32-wasip1"
	case has("!<arch>"):
		return "it is a static library; link it into a module first"
	case has("BC\xc0\xde"):
		return "it is LLVM bitcode; link it into a module first"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "it is a tar archive"
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		return "it is an HTML page; the address probably leads to a login or error page"
	case strings.HasPrefix(lower, "<?xml"):
		return "it is an XML document; the address probably leads to an error page"
	case strings.HasPrefix(lower, "version https://git-lfs"):
		return "it is a Git LFS pointer; fetch the real file with git lfs"
	case strings.HasPrefix(lower, "{"), strings.HasPrefix(lower, "["):
		return "it is JSON text"
	case strings.HasPrefix(lower, "(module"), strings.HasPrefix(lower, ";;"):
		return "it is WebAssembly text; compile it to binary form with wat2wasm"
	case strings.HasPrefix(lower, "#!"):
		return "it is a script"
	}
	return fmt.Sprintf("it begins with %s", quote(head))
}

// quote shows up to 12 bytes, as text if they are text.
func quote(b []byte) string {
	b = b[:min(len(b), 12)]
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return fmt.Sprintf("the bytes % x", b)
		}
	}
	if utf8.Valid(b) {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("the bytes % x", b)
}
