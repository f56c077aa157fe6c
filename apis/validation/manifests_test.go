package validation

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// manifest is one document of a file of testdata/valid.
type manifest struct {
	file string
	text []byte
	kind string
	obj  map[string]any
}

func manifests(t *testing.T) []manifest {
	t.Helper()
	files, err := filepath.Glob("testdata/valid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	var out []manifest
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			doc, err := docs.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			m := manifest{file: filepath.Base(file), text: doc}
			if err := yaml.UnmarshalStrict(doc, &m.obj); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			m.kind, _ = m.obj["kind"].(string)
			out = append(out, m)
		}
	}
	return out
}

func TestEveryFoundingAndReferenceManifestLoads(t *testing.T) {
	count := map[string]int{}
	for _, m := range manifests(t) {
		count[m.file]++
		for _, e := range Object(m.obj) {
			t.Errorf("%s: %v\n%s", m.file, e, m.text)
		}
		var plugin *model.Plugin
		switch m.kind {
		case v1alpha1.KindWasmPlugin:
			var typed v1alpha1.WasmPlugin
			if err := yaml.UnmarshalStrict(m.text, &typed); err != nil {
				t.Errorf("%s: %v", m.file, err)
			}
			plugin = model.FromWasmPlugin(&typed)
		case v1alpha1.KindTrafficExtension:
			var typed v1alpha1.TrafficExtension
			if err := yaml.UnmarshalStrict(m.text, &typed); err != nil {
				t.Errorf("%s: %v", m.file, err)
			}
			plugin = model.FromTrafficExtension(&typed)
		default:
			t.Fatalf("%s: kind %q", m.file, m.kind)
		}
		if plugin.Invalid != "" {
			t.Errorf("%s: %s: %s", m.file, plugin.Key, plugin.Invalid)
		}
		if (plugin.Wasm == nil) == (plugin.Lua == "") {
			t.Errorf("%s: %s has not exactly one of Wasm and Lua", m.file, plugin.Key)
		}
	}
	for file, want := range map[string]int{
		"founding-distribution.yaml": 1, "founding-ambient.yaml": 3, "founding-alpha.yaml": 1,
		"reference-wasmplugin.yaml": 6, "reference-trafficextension.yaml": 8, "every-field.yaml": 4,
	} {
		if count[file] != want {
			t.Errorf("%s holds %d manifests, want %d", file, count[file], want)
		}
	}
}
