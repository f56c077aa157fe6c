package inspect_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/wasmpoint/wasmpoint/modules/inspect"
	w "github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

func TestAPluginTellsItsABIImportsExportsAndMemory(t *testing.T) {
	imports := w.Section{ID: 2, Body: append(append(append([]byte{2}, append(append(w.Name("env"), w.Name("proxy_log")...), 0, 0)...),
		append(w.Name("env"), w.Name("g")...)...), 3, 0x7f, 1)}
	memory := w.Section{ID: 5, Body: []byte{1, 1, 2, 0x80, 1}}
	mod := w.Assemble(w.Types, imports, w.Functions, memory,
		w.Exports(w.Export{Name: "memory", Kind: 2}, w.Export{Name: "proxy_abi_version_0_2_0"}, w.Export{Name: "proxy_abi_version_0_2_1"}), w.Code)
	info, err := inspect.Plugin(bytes.NewReader(mod))
	if err != nil {
		t.Fatal(err)
	}
	if info.ABI != "0.2.0" || info.Size != int64(len(mod)) || info.MemoryMin != 2 || info.MemoryMax != 128 {
		t.Errorf("got %+v", info)
	}
	if len(info.Imports) != 2 || info.Imports[0] != (inspect.Import{Module: "env", Name: "proxy_log"}) || info.Imports[1].Kind != inspect.KindGlobal {
		t.Errorf("imports %+v", info.Imports)
	}
	if len(info.Exports) != 3 {
		t.Errorf("exports %+v", info.Exports)
	}
}

func TestEveryTruncationOfAModuleIsRefused(t *testing.T) {
	mod := w.Plugin("truncation")
	whole := w.Assemble(w.Types, w.Functions, w.Memory,
		w.Exports(w.Export{Name: "memory", Kind: 2}, w.Export{Name: "proxy_abi_version_0_2_1"}), w.Code)
	for n := range mod {
		if n == len(whole) {
			continue // here a complete module without the last custom section ends
		}
		if _, err := inspect.Plugin(bytes.NewReader(mod[:n])); err == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(mod))
		}
	}
}

func TestNoSingleChangedByteCrashesTheParser(t *testing.T) {
	mod := w.Plugin("x")
	for i := range mod {
		for b := range 256 {
			bad := bytes.Clone(mod)
			bad[i] = byte(b)
			_, _ = inspect.Plugin(bytes.NewReader(bad))
		}
	}
}

func TestAnErrorOfTheSourceIsNotAnErrorOfTheModule(t *testing.T) {
	broken := errors.New("cable cut")
	mod := w.PluginSized("x", 100_000)
	_, err := inspect.Plugin(io.MultiReader(bytes.NewReader(mod[:70_000]), iotest.ErrReader(broken)))
	var bad *inspect.Error
	if !errors.Is(err, broken) || errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
}

func FuzzModule(f *testing.F) {
	f.Add(w.Plugin("seed"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = inspect.Module(bytes.NewReader(data)) })
}
