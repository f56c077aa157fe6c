package unpack_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/unpack"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

type temp struct {
	bytes.Buffer
	open *int
	fail error
}

func (t *temp) Write(p []byte) (int, error) {
	if t.fail != nil {
		return 0, t.fail
	}
	return t.Buffer.Write(p)
}
func (t *temp) Discard() { *t.open-- }

// run scans the streams and returns the module and how many files were left open besides it.
func run(limits unpack.Limits, streams ...[]byte) (got []byte, left int, err error) {
	s := unpack.New(limits, func() (unpack.Temp, error) { left++; return &temp{open: &left}, nil })
	for _, data := range streams {
		if err = s.Scan(bytes.NewReader(data), ""); err != nil {
			break
		}
	}
	if err == nil {
		var f unpack.Temp
		if f, err = s.Result(); err == nil {
			got = f.(*temp).Bytes()
			left--
		}
	}
	s.Close()
	return got, left, err
}

var wide = unpack.Limits{Module: 1 << 20, Total: 4 << 20, Entries: 100}

func TestAModuleIsFoundWhateverItIsPackedIn(t *testing.T) {
	mod, other, noise := wasmtest.Plugin("m"), wasmtest.Plugin("other"), rt.File{Name: "etc/passwd", Data: []byte("root")}
	for name, streams := range map[string][][]byte{
		"plain":                               {mod},
		"gzip":                                {rt.Gzip(mod)},
		"zstd":                                {rt.Zstd(mod)},
		"gzip twice":                          {rt.Gzip(rt.Gzip(mod))},
		"tar":                                 {rt.Tar(noise, rt.File{Name: "plugin.wasm", Data: mod})},
		"tar.gz in a folder":                  {rt.Gzip(rt.Tar(rt.File{Name: "./a/b/plugin.wasm", Data: mod}))},
		"tar.zst":                             {rt.Zstd(rt.Tar(rt.File{Name: "plugin.wasm", Data: mod}))},
		"plugin.wasm beside others":           {rt.Tar(rt.File{Name: "x.wasm", Data: other}, rt.File{Name: "plugin.wasm", Data: mod}, rt.File{Name: "y.wasm", Data: other})},
		"the later of two equal names":        {rt.Tar(rt.File{Name: "plugin.wasm", Data: other}, rt.File{Name: "plugin.wasm", Data: mod})},
		"the only .wasm file":                 {rt.Tar(noise, rt.File{Name: "filter.wasm", Data: mod})},
		"the only module, without a suffix":   {rt.Tar(noise, rt.File{Name: "filter", Data: mod})},
		"an upper and a lower layer":          {rt.Tar(noise), rt.Tar(rt.File{Name: "plugin.wasm", Data: mod})},
		"the same name in two layers":         {rt.Tar(rt.File{Name: "f.wasm", Data: mod}), rt.Tar(rt.File{Name: "/f.wasm", Data: other})},
		"plugin.wasm below a single .wasm":    {rt.Tar(rt.File{Name: "f.wasm", Data: other}), rt.Tar(rt.File{Name: "plugin.wasm", Data: mod})},
		"an empty tar above a raw module":     {rt.Gzip(rt.Tar()), mod},
		"a JSON configuration above a module": {[]byte(`{"a":1}`), mod},
	} {
		t.Run(name, func(t *testing.T) {
			got, left, err := run(wide, streams...)
			if err != nil || !bytes.Equal(got, mod) || left != 0 {
				t.Errorf("%d bytes, %d files left open, %v", len(got), left, err)
			}
		})
	}
}

func TestLimitsAreErrorsAndNeverCuts(t *testing.T) {
	big := wasmtest.PluginSized("big", 3000)
	bomb := rt.Gzip(rt.Tar(rt.File{Name: "zeros", Data: make([]byte, 200_000)}, rt.File{Name: "plugin.wasm", Data: big}))
	var many []rt.File
	for range 20 {
		many = append(many, rt.File{Name: "a"})
	}
	for _, c := range []struct {
		name   string
		limits unpack.Limits
		data   []byte
		want   string
	}{
		{"a module over the limit", unpack.Limits{Module: 1024, Total: 1 << 20, Entries: 10}, big, "the module is larger than the limit of 1 KiB"},
		{"a packed module over the limit", unpack.Limits{Module: 1024, Total: 1 << 20, Entries: 10}, rt.Gzip(rt.Tar(rt.File{Name: "plugin.wasm", Data: big})), "the module is larger than the limit of 1 KiB"},
		{"a bomb", unpack.Limits{Module: 4096, Total: 100_000, Entries: 10}, bomb, "it unpacks to more than 100000 bytes"},
		{"too many files", unpack.Limits{Module: 4096, Total: 1 << 20, Entries: 10}, rt.Tar(many...), "it has more than 10 files"},
		{"too deep", wide, rt.Gzip(rt.Gzip(rt.Gzip(rt.Gzip(rt.Gzip(big))))), "it is packed in more than four layers"},
		{"a cut gzip", wide, rt.Gzip(big)[:1000], "it is truncated"},
		{"a cut tar", wide, rt.Tar(rt.File{Name: "plugin.wasm", Data: big})[:2000], "it is truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, left, err := run(c.limits, c.data)
			var content *unpack.Error
			if !errors.As(err, &content) || !strings.HasPrefix(err.Error(), c.want) || left != 0 {
				t.Errorf("%d files left open, %v", left, err)
			}
		})
	}
	if got, _, err := run(unpack.Limits{Module: int64(len(big)), Total: 1 << 20, Entries: 1}, big); err != nil || len(got) != len(big) {
		t.Errorf("a module of exactly the limit: %v", err)
	}
}

func TestAFullDiskIsNotABadModule(t *testing.T) {
	full, left := errors.New("no space left on device"), 0
	s := unpack.New(wide, func() (unpack.Temp, error) { left++; return &temp{open: &left, fail: full}, nil })
	var disk *unpack.WriteError
	if err := s.Scan(bytes.NewReader(wasmtest.Plugin("x")), "layer"); !errors.As(err, &disk) || !errors.Is(err, full) || left != 0 {
		t.Errorf("%v, %d files left", err, left)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(rt.Gzip(rt.Tar(rt.File{Name: "plugin.wasm", Data: wasmtest.Plugin("x")})))
	f.Add(rt.Zstd(rt.Tar(rt.File{Name: "a.wasm", Data: wasmtest.Plugin("x")})))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, left, _ := run(wide, data); left != 0 {
			t.Errorf("%d files left open", left)
		}
	})
}
