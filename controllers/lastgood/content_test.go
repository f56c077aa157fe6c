package lastgood

import (
	"bytes"
	"crypto/rand"
	"reflect"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
)

func key(name string) model.Key {
	return model.Key{Kind: "WasmPlugin", Namespace: "shop", Name: name}
}

// variant is a Wasm variant of a plugin with a configuration.
func variant(name string, generation int64, config string) *build.Variant {
	return build.NewVariant(&model.Plugin{
		Key: key(name), Generation: generation, Type: model.TypeHTTP, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{RootID: "root", Config: []byte(config), Env: []model.EnvVar{{Name: "A", Value: "b"}}},
	}, strings.Repeat("ab", 32))
}

func TestContentComesBackAsItWas(t *testing.T) {
	for name, config := range map[string]string{
		"small": `{"users":["a"]}`, "large, compressed": strings.Repeat(`{"user":"somebody"},`, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			want := []*build.Variant{variant("p", 2, config), variant("p", 1, "old")}
			object, data, err := encode(key("p"), want)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > maxData {
				t.Errorf("%d bytes", len(data))
			}
			k, got, err := decode(newObject("ns", object, key("p"), 1, data))
			if err != nil || k != key("p") || !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, %v, %v", k, got, err)
			}
			if again, data2, _ := encode(key("p"), got); again != object || !bytes.Equal(data, data2) {
				t.Error("equal content has another name or other bytes")
			}
		})
	}
}

func TestContentThatCannotBeHeldIsAnError(t *testing.T) {
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	_, _, err := encode(key("p"), []*build.Variant{variant("p", 1, string(noise))})
	if err == nil || !strings.HasPrefix(err.Error(), "last good configuration of WasmPlugin shop/p has 1398") || !strings.HasSuffix(err.Error(), "make its pluginConfig smaller") {
		t.Errorf("got %v", err)
	}
}

func TestAnObjectThatCannotBeReadIsNamed(t *testing.T) {
	_, data, err := encode(key("p"), []*build.Variant{variant("p", 1, "x")})
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(data), `"version":1`, `"version":7`, 1)
	for _, c := range []struct{ annotation, data, want string }{
		{"nonsense", string(data), `annotation wasmpoint.dev/plugin is "nonsense", not "Kind namespace/name"`},
		{"WasmPlugin shop/q", string(data), "it holds WasmPlugin shop/p"},
		{"WasmPlugin shop/p", other, "its format is 7, and this wasmpoint reads format 1"},
		{"WasmPlugin shop/p", "{", "unexpected end of JSON input"},
		{"WasmPlugin shop/p", `{"version":1,"plugin":{"Kind":"WasmPlugin","Namespace":"shop","Name":"p"}}`, "it holds no variant"},
		{"WasmPlugin shop/p", `{"version":1,"plugin":{"Kind":"WasmPlugin","Namespace":"shop","Name":"p"},"variants":[null]}`, "variant 0 is not one of this plugin"},
		{"WasmPlugin shop/p", `{"version":1,"plugin":{"Kind":"WasmPlugin","Namespace":"shop","Name":"p"},"gzip":"AAAA"}`, "unexpected EOF"},
	} {
		o := newObject("ns", "wasmpoint-1", key("p"), 1, []byte(c.data))
		o.Annotations[PluginAnnotation] = c.annotation
		want := "last good configuration in ControllerRevision ns/wasmpoint-1 (" + c.annotation + ") cannot be read and is left alone: " + c.want
		if _, _, err := decode(o); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
