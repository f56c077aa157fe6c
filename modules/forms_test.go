package modules_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

// corpus pushes one image of every form that is to be accepted; all hold the same module.
func corpus(s *rt.Server, mod []byte) map[string]string {
	base := rt.Layer{MediaType: rt.OCILayer, Data: rt.Gzip(rt.Tar(rt.File{Name: "etc/os-release", Data: []byte("x")}))}
	other := wasmtest.Plugin("other")
	push := func(name string, img rt.Image) string { return s.Push("forms", name, img) }
	raw := func(mt string) rt.Layer { return rt.Layer{MediaType: mt, Data: mod} }
	digests := map[string]string{
		"docker":      push("docker", rt.Image{MediaType: rt.DockerManifest, ConfigType: rt.DockerConfig, Layers: []rt.Layer{rt.PluginLayer(rt.DockerLayer, mod)}}),
		"oci":         push("oci", rt.PluginImage(mod)),
		"first-layer": push("first-layer", rt.Image{Layers: []rt.Layer{rt.PluginLayer(rt.OCILayer, mod), base}}),
		"last-wins":   push("last-wins", rt.Image{Layers: []rt.Layer{rt.PluginLayer(rt.OCILayer, other), base, rt.PluginLayer(rt.OCILayer, mod)}}),
		"plain-tar":   push("plain-tar", rt.Image{Layers: []rt.Layer{{MediaType: "application/vnd.oci.image.layer.v1.tar", Data: rt.Tar(rt.File{Name: "plugin.wasm", Data: mod})}}}),
		"zstd":        push("zstd", rt.Image{Layers: []rt.Layer{{MediaType: "application/vnd.oci.image.layer.v1.tar+zstd", Data: rt.Zstd(rt.Tar(rt.File{Name: "plugin.wasm", Data: mod}))}}}),
		"other-name":  push("other-name", rt.Image{Layers: []rt.Layer{base, {MediaType: rt.OCILayer, Data: rt.Gzip(rt.Tar(rt.File{Name: "filter.wasm", Data: mod}))}}}),
		"two-layer": push("two-layer", rt.Image{ConfigType: "application/vnd.module.wasm.config.v1+json", Layers: []rt.Layer{
			raw("application/vnd.module.wasm.content.layer.v1+wasm"), {MediaType: "application/vnd.module.wasm.config.v1+json", Data: []byte(`{"type":"envoy_proxy"}`)}}}),
		"cncf": push("cncf", rt.Image{ConfigType: "application/vnd.wasm.config.v0+json", Layers: []rt.Layer{raw("application/wasm")}}),
		"cncf-empty": push("cncf-empty", rt.Image{ConfigType: "application/vnd.oci.empty.v1+json", ArtifactType: "application/vnd.example", Layers: []rt.Layer{
			raw("application/wasm"), {MediaType: "text/plain", Data: []byte("read me")}}}),
		"bare":        push("bare", rt.Image{Layers: []rt.Layer{raw("application/octet-stream")}}),
		"wrong-type":  push("wrong-type", rt.Image{Layers: []rt.Layer{rt.PluginLayer("application/wasm", mod)}}),
		"gzip-module": push("gzip-module", rt.Image{Layers: []rt.Layer{{MediaType: "application/wasm", Data: rt.Gzip(mod)}}}),
	}
	attestation := push("attestation", rt.Image{Layers: []rt.Layer{{MediaType: "application/vnd.in-toto+json", Data: []byte("{}")}}})
	wrong := push("wrong", rt.PluginImage(other))
	unknown := rt.Entry{Digest: attestation, OS: "unknown", Arch: "unknown", Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}}
	index := func(name string, entries ...rt.Entry) string { return s.PushIndex("forms", name, entries...) }
	digests["index-amd64"] = index("index-amd64", unknown, rt.Entry{Digest: wrong, OS: "linux", Arch: "arm64"}, rt.Entry{Digest: digests["oci"], OS: "linux", Arch: "amd64"})
	digests["index-wasm"] = index("index-wasm", rt.Entry{Digest: wrong, OS: "linux", Arch: "amd64"}, rt.Entry{Digest: digests["cncf"], OS: "wasip1", Arch: "wasm"}, unknown)
	digests["index-single"] = index("index-single", rt.Entry{Digest: digests["oci"], OS: "linux", Arch: "arm64"}, unknown)
	digests["index-no-platform"] = index("index-no-platform", rt.Entry{Digest: digests["oci"]})
	digests["index-of-index"] = index("index-of-index", rt.Entry{Digest: digests["index-amd64"]})
	return digests
}

func TestEveryFormOfImageIsAccepted(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.PluginSized("form", 10_000)
	digests := corpus(s, mod)
	m := start(t, modules.Options{})
	for name, digest := range digests {
		t.Run(name, func(t *testing.T) {
			m.Want(name, modules.Source{URL: "oci://" + s.Host + "/forms:" + name})
			got := m.await(name, func(s modules.State) bool { return s.Ready || s.Err != "" })
			if !got.Ready || got.Digest != rt.Hex(mod) || got.Size != int64(len(mod)) || got.ABI != "0.2.1" || got.ResolvedDigest == "" {
				t.Fatalf("%+v", got)
			}
			pinned := name + " pinned"
			m.Want(pinned, modules.Source{URL: s.Host + "/forms@" + digest})
			m.await(pinned, has(rt.Hex(mod)))
			for what, sha := range map[string]string{"its own digest": digest[7:], "the manifest's": got.ResolvedDigest[7:], "the module's": rt.Hex(mod)} {
				owner := name + " by " + what
				m.Want(owner, modules.Source{URL: s.Host + "/forms:" + name, SHA256: sha})
				m.await(owner, has(rt.Hex(mod)))
			}
		})
	}
}

func TestEveryFormOfFileIsAcceptedFromWebServersAndDisks(t *testing.T) {
	mod := wasmtest.Plugin("file")
	dir := t.TempDir()
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer web.Close()
	m := start(t, modules.Options{})
	for name, data := range map[string][]byte{
		"plain.wasm": mod, "gz.wasm.gz": rt.Gzip(mod), "t.tar": rt.Tar(rt.File{Name: "plugin.wasm", Data: mod}),
		"t.tgz": rt.Gzip(rt.Tar(rt.File{Name: "some/f.wasm", Data: mod})),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		for url, sha := range map[string]string{
			web.URL + "/" + name: rt.Hex(mod), web.URL + "/" + name + "?v=2": rt.Hex(data), web.URL + "/" + name + "?v=3": "",
			"file://" + dir + "/" + name: rt.Hex(mod), "file://./" + name: rt.Hex(data),
		} {
			m.Want(url, modules.Source{URL: url, SHA256: sha, BaseDir: dir})
			m.await(url, has(rt.Hex(mod)))
		}
	}
}
