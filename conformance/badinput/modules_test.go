package badinput

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	wt "github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

// moduleCase is a broken source and the state that the user gets to see, word for word. In want, REGISTRY, WEB and DIR
// stand for the places of this test run.
type moduleCase struct {
	name, reason, want string
	src                modules.Source
}

// hexA is a well-formed digest of nothing that exists here.
var hexA = strings.Repeat("a", 64)

func urlCases() []moduleCase {
	const reason = "InvalidURL"
	url := func(name, raw, want string) moduleCase {
		return moduleCase{name, reason, want, modules.Source{URL: raw}}
	}
	return []moduleCase{
		url("no URL", "", `url is empty; name a module, for example oci://ghcr.io/example/plugin:1.0`),
		url("an unknown scheme", "ftp://host/x.wasm", `url "ftp://host/x.wasm": scheme "ftp" is not supported; use oci://, https://, http:// or file://`),
		url("a blank", "oci://ghcr.io/a/b: 1", `url "oci://ghcr.io/a/b: 1": it contains white space; remove it (a file name may write a blank as %20)`),
		url("missing slashes of a file", "file:x.wasm", `url "file:x.wasm": after file: two slashes are missing; write file:///folder/plugin.wasm, or file://./plugin.wasm for a path that is relative to the manifest`),
		url("missing slashes of a web address", "https:/host/x.wasm", `url "https:/host/x.wasm": after https: two slashes are missing; write https://host/plugin.wasm`),
		url("missing slashes of an image", "oci:ghcr.io/a/b", `url "oci:ghcr.io/a/b": after oci: two slashes are missing; write oci://registry/repository:tag`),
		url("a scheme and nothing", "oci://", `url "oci://": the image is missing; write oci://registry/repository:tag`),
		url("upper-case letters", "oci://ghcr.io/Team/Plugin:1", `url "oci://ghcr.io/Team/Plugin:1": an image's name has lower-case letters only; write team/plugin`),
		url("a malformed tag", "oci://ghcr.io/a/b:", `url "oci://ghcr.io/a/b:": not an OCI reference; write oci://registry/repository:tag or oci://registry/repository@sha256:<64 hex digits>`),
		url("a short digest", "oci://ghcr.io/a/b@sha256:abc", `url "oci://ghcr.io/a/b@sha256:abc": the digest after @ must be sha256: and 64 lower-case hex digits`),
		url("a query on an image", "oci://ghcr.io/a/b:1?x=y", `url "oci://ghcr.io/a/b:1?…": an OCI reference has no query and no fragment; write oci://registry/repository:tag`),
		url("a password in an image URL", "oci://me:secret@ghcr.io/a/b", `url "oci://…@ghcr.io/a/b": user and password do not belong into the URL; put them into a Secret and name it in imagePullSecret`),
		url("a password in a web URL", "https://me:secret@host/x.wasm", `url "https://…@host/x.wasm": user and password do not belong into the URL, where everybody can read them; HTTP sources must be public, or use an OCI registry with imagePullSecret`),
		url("no host", "https:///x.wasm", `url "https:///x.wasm": the host is missing; write https://host/plugin.wasm`),
		url("a malformed port", "http://host:port/x.wasm", `url "http://host:port/x.wasm": not a URL; check its host, its port and its % signs`),
		url("a path without a scheme", "./plugin.wasm", `url "./plugin.wasm": this looks like a file; write file://./plugin.wasm, or oci://registry/repository:tag for an image`),
		url("a folder in place of a host", "file://plugins/x.wasm", `url "file://plugins/x.wasm": file://plugins names a host, not a folder; write file:///plugins/x.wasm for an absolute path, or file://./plugins/x.wasm for one that is relative to the manifest`),
		url("a relative path without a manifest", "file://./x.wasm", `url "file://./x.wasm": a relative path needs a manifest file to start from, and this plugin came from none; write file:///folder/plugin.wasm`),
		url("a file URL without a path", "file://", `url "file://": the path is missing; write file:///folder/plugin.wasm or file://./plugin.wasm`),
		url("a broken escape", "file:///a%zz.wasm", `url "file:///a%zz.wasm": a % sign must be followed by two hex digits (%25 is the sign itself)`),
		{"a malformed sha256", reason, `sha256 "abc" is not a SHA-256 digest; write its 64 hex digits, or leave the field out`, modules.Source{URL: "ghcr.io/a/b:1", SHA256: "abc"}},
		{"a pull secret of another form", "PullDenied", `url "ghcr.io/a/b:1": the pull secret is not a docker config: its key .dockerconfigjson must hold {"auths": {"registry": {"auth": "…"}}}`,
			modules.Source{URL: "ghcr.io/a/b:1", DockerConfig: []byte("token: x")}},
	}
}

// imageCases pushes broken images.
func imageCases(s *rt.Server) []moduleCase {
	const invalid = "InvalidModule"
	mod := wt.Plugin("image")
	push := func(name, reason, want string, img rt.Image) moduleCase {
		tag := strings.ReplaceAll(name, " ", "-")
		s.Push("bad", tag, img)
		return moduleCase{name, reason, "oci://REGISTRY/bad:" + tag + ": " + want, modules.Source{URL: "oci://" + s.Host + "/bad:" + tag}}
	}
	layer := func(mt string, data []byte) rt.Image {
		return rt.Image{Layers: []rt.Layer{{MediaType: mt, Data: data}}}
	}
	arm, ppc := s.Push("bad", "arm", rt.PluginImage(mod)), s.Push("bad", "ppc", rt.PluginImage(wt.Plugin("ppc")))
	foreign := s.PushIndex("bad", "foreign", rt.Entry{Digest: arm, OS: "linux", Arch: "arm64"}, rt.Entry{Digest: ppc, OS: "linux", Arch: "ppc64le"})
	schema1 := s.Manifest("bad", "schema1", rt.DockerManifest, []byte(`{"schemaVersion":1,"fsLayers":[]}`))
	empty := s.Push("bad", "no-layers", rt.Image{})
	from := func(tag string) modules.Source { return modules.Source{URL: "oci://" + s.Host + "/bad:" + tag} }
	short := len(mod) - 10
	return []moduleCase{
		{"a tag that does not exist", "FetchFailed", "oci://REGISTRY/bad:nothing: the server answered 404 Not Found (MANIFEST_UNKNOWN: Unknown manifest); check repository and tag, and whether a pull secret is needed", from("nothing")},
		{"an index without a fitting image", invalid, "oci://REGISTRY/bad:foreign: index " + foreign + ": it has images for linux/arm64, linux/ppc64le only; push one for wasip1/wasm or linux/amd64", from("foreign")},
		{"a manifest of the old schema", invalid, "oci://REGISTRY/bad:schema1: manifest " + schema1 + ": it has Docker's old schema 1; push the image again with a current tool", from("schema1")},
		{"an image without layers", invalid, "oci://REGISTRY/bad:no-layers: manifest " + empty + ": it has no layers; put the module in as plugin.wasm", from("no-layers")},
		push("no module in it", invalid, "no WebAssembly module in it; seen: layer 1 of 1 (application/vnd.oci.image.layer.v1.tar+gzip): gzip of a tar archive of 1 files (app/main.js); put the module in as plugin.wasm",
			layer(rt.OCILayer, rt.Gzip(rt.Tar(rt.File{Name: "app/main.js", Data: []byte("x")})))),
		push("two modules", invalid, "several modules and none named plugin.wasm: /a.wasm, /b.wasm; name the right one plugin.wasm",
			layer(rt.OCILayer, rt.Gzip(rt.Tar(rt.File{Name: "a.wasm", Data: mod}, rt.File{Name: "b.wasm", Data: mod})))),
		push("a damaged layer", invalid, "layer 1 of 1 (application/vnd.oci.image.layer.v1.tar+gzip): it is truncated: the packed data ends too early",
			layer(rt.OCILayer, rt.PluginLayer("", mod).Data[:60])),
		push("text in place of a module", invalid, `not a WebAssembly module: it begins with "hello"`,
			layer(rt.OCILayer, rt.Gzip(rt.Tar(rt.File{Name: "plugin.wasm", Data: []byte("hello")})))),
		push("an empty module", invalid, "not a WebAssembly module: it is empty", rt.PluginImage(nil)),
		push("a component", invalid, "this is a WebAssembly component; proxies load core modules: build the plugin for wasm32-wasip1 and do not wrap it into a component",
			layer("application/wasm", []byte("\x00asm\x0d\x00\x01\x00"))),
		push("a future version", invalid, "WebAssembly version 2 (layer 0) is not supported; proxies load core modules of version 1",
			layer("application/wasm", []byte("\x00asm\x02\x00\x00\x00"))),
		push("a cut module", invalid, "the module is truncated: it ends after "+strconv.Itoa(short)+" bytes, within its custom section", layer("application/wasm", mod[:short])),
		push("no ABI export", invalid, "the module exports no proxy_abi_version_* function, so it is no proxy-wasm plugin; build it with a proxy-wasm SDK",
			layer("application/wasm", wt.Assemble(wt.Memory, wt.Exports(wt.Export{Name: "memory", Kind: 2})))),
		push("a program", invalid, "the module exports no proxy_abi_version_* function, so it is no proxy-wasm plugin; build it with a proxy-wasm SDK (this is a command-line program: it only has a _start function)",
			layer("application/wasm", wt.Assemble(wt.Types, wt.Functions, wt.Memory, wt.Exports(wt.Export{Name: "memory", Kind: 2}, wt.Export{Name: "_start"}), wt.Code))),
		push("an unknown ABI", invalid, "the module exports proxy_abi_version_9_9_9, an ABI version that Envoy does not know; build it with an SDK for proxy-wasm ABI 0.1.0, 0.2.0 or 0.2.1",
			layer("application/wasm", wt.Assemble(wt.Types, wt.Functions, wt.Exports(wt.Export{Name: "proxy_abi_version_9_9_9"}), wt.Code))),
		push("no memory", invalid, `the module exports no memory, so a proxy cannot exchange data with it; export its memory under the name "memory"`,
			layer("application/wasm", wt.Assemble(wt.Types, wt.Functions, wt.Exports(wt.Export{Name: "proxy_abi_version_0_2_1"}), wt.Code))),
		push("sections out of order", invalid, "the module is damaged: its type section at byte 12 stands twice or out of order",
			layer("application/wasm", wt.Assemble(wt.Functions, wt.Types))),
		push("code that is missing", invalid, "the module is damaged or truncated: it declares 1 functions but holds the code of 0",
			layer("application/wasm", wt.Assemble(wt.Types, wt.Functions))),
		push("an export count that lies", invalid, "the module is damaged: in its export section near byte 15, it is shorter than its content",
			layer("application/wasm", wt.Assemble(wt.Section{ID: 7, Body: []byte{0xff, 0xff, 0xff, 0xff, 0x0f}}))),
		{"a wrong sha256", "ChecksumMismatch", "oci://REGISTRY/bad:arm: sha256 is " + hexA + ", but the module is " + rt.Hex(mod) + ", its manifest " + arm[7:] + "; correct the url, or set sha256 to one of these if it is the module you want",
			modules.Source{URL: "oci://" + s.Host + "/bad:arm", SHA256: hexA}},
	}
}

// fileCases serves and stores broken files.
func fileCases(t *testing.T, dir, web string) []moduleCase {
	t.Helper()
	mod := wt.Plugin("file")
	for name, data := range map[string][]byte{
		"login.html": []byte("<!DOCTYPE html><html>"), "text.wat": []byte("(module)"), "x.zip": []byte("PK\x03\x04...."),
		"elf": []byte("\x7fELF\x02\x01"), "lfs.wasm": []byte("version https://git-lfs.github.com/spec/v1\n"), "good.wasm": mod,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	from := func(url string) modules.Source { return modules.Source{URL: url, BaseDir: dir} }
	const none = "no WebAssembly module in it; seen: "
	return []moduleCase{
		{"a login page", "InvalidModule", "WEB/login.html: " + none + "an HTML page; the address probably leads to a login or error page; put the module in as plugin.wasm", from(web + "/login.html")},
		{"WebAssembly text", "InvalidModule", "file://./text.wat: " + none + "WebAssembly text; compile it to binary form with wat2wasm; put the module in as plugin.wasm", from("file://./text.wat")},
		{"a zip archive", "InvalidModule", "WEB/x.zip: " + none + "a zip archive; serve the .wasm file itself, or pack it with tar or gzip; put the module in as plugin.wasm", from(web + "/x.zip")},
		{"a native program", "InvalidModule", "file://./elf: " + none + "a program for a computer, not for WebAssembly; compile it for wasm32-wasip1; put the module in as plugin.wasm", from("file://./elf")},
		{"a Git LFS pointer", "InvalidModule", "file://./lfs.wasm: " + none + "a Git LFS pointer; fetch the real file with git lfs; put the module in as plugin.wasm", from("file://./lfs.wasm")},
		{"a missing page", "FetchFailed", "WEB/none.wasm: the server answered 404 Not Found; check the path", from(web + "/none.wasm")},
		{"a forbidden page", "PullDenied", "WEB/private: the server answered 403 Forbidden; HTTP sources must be public; put a private module into an OCI registry and set imagePullSecret", from(web + "/private")},
		{"a missing file", "FetchFailed", "file://./none.wasm: there is no file DIR/none.wasm; build the module, or correct the path", from("file://./none.wasm")},
		{"a folder", "FetchFailed", "file://DIR: DIR is a folder; name the module's file in it", from("file://" + dir)},
		{"a wrong sha256 of a page", "ChecksumMismatch", "WEB/good.wasm: sha256 is " + hexA + ", but the module is " + rt.Hex(mod) + "; correct the url, or set sha256 to one of these if it is the module you want",
			modules.Source{URL: web + "/good.wasm", SHA256: hexA}},
		{"a host that does not listen", "FetchFailed", "http://127.0.0.1:1/x.wasm: dial tcp 127.0.0.1:1: connect: connection refused", from("http://127.0.0.1:1/x.wasm")},
	}
}

func TestBrokenModulesAreAnsweredWithURLCauseAndNextStep(t *testing.T) {
	t.Parallel()
	dir, registry := t.TempDir(), rt.Start(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/private" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	m, err := modules.New(modules.Options{Dir: t.TempDir(), Files: "/", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	changed := make(chan struct{}, 1)
	m.Subscribe(func(string) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	cases := append(append(urlCases(), imageCases(registry)...), fileCases(t, dir, web.URL)...)
	if len(cases) < 40 {
		t.Errorf("only %d cases", len(cases))
	}
	places := strings.NewReplacer("REGISTRY", registry.Host, "WEB", web.URL, "DIR", dir)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got := m.Want(tt.name, tt.src)
			for deadline := time.After(20 * time.Second); got.Err == ""; got = m.State(tt.name) {
				select {
				case <-changed:
				case <-deadline:
					t.Fatalf("no error: %+v", got)
				}
			}
			if want := places.Replace(tt.want); got.Ready || got.Reason != tt.reason || got.Err != want {
				t.Errorf("ready %v, reason %s, want %s\n got %s\nwant %s", got.Ready, got.Reason, tt.reason, got.Err, want)
			}
			m.Release(tt.name)
		})
	}
}
