package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// world writes files below a new folder and returns it. Names may have folders.
func world(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func plugin(name, url string) string {
	return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: " + name + "\nspec:\n  url: " + url + "\n"
}

func names(r Result) []string {
	var out []string
	for _, p := range r.Plugins {
		out = append(out, p.NamespacedName().String())
	}
	return out
}

func noErrors(t *testing.T, r Result) {
	t.Helper()
	for _, e := range r.Errors {
		t.Errorf("unexpected error: %v", e)
	}
}

func TestFoldersAreReadWithTheirSubfoldersInOneOrder(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{
		"b.yaml":            plugin("b", "oci://x/b"),
		"sub/a.yml":         plugin("a", "file://a.wasm"),
		"c.json":            "{\n\t\"apiVersion\": \"extensions.istio.io/v1alpha1\",\n\t\"kind\": \"WasmPlugin\",\n\t\"metadata\": {\"name\": \"c\"},\n\t\"spec\": {\"url\": \"x\"}\n}\n",
		".hidden.yaml":      plugin("hidden", "x"),
		".git/x.yaml":       plugin("git", "x"),
		"b.yaml~":           "nonsense",
		".b.yaml.swp":       "nonsense",
		"notes.txt":         "nonsense",
		"empty.yaml":        "",
		"only-comment.yaml": "# nothing here\n---\n# nor here\n",
	})
	r := Load(dir, filepath.Join(dir, "b.yaml"))
	noErrors(t, r)
	if got, want := names(r), []string{"default/a", "default/b", "default/c"}; !slices.Equal(got, want) {
		t.Fatalf("plugins %v, want %v", got, want)
	}
	if got, want := r.Plugins[0].SourceDir, filepath.Join(dir, "sub"); got != want {
		t.Errorf("SourceDir %q, want %q", got, want)
	}
	if r.Plugins[0].Generation != 1 {
		t.Errorf("generation %d, want 1", r.Plugins[0].Generation)
	}
}

func TestListsAreFlattenedAndTypedListsGiveTheirItemsAKind(t *testing.T) {
	t.Parallel()
	r := Parse("l.yaml", []byte(`apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceList
items:
- metadata: {name: db}
  spec: {ports: [{port: x}]}
`))
	if len(r.Errors) != 1 || r.Errors[0].Error() != `l.yaml:16: spec.ports[0].port: must be a number, and is the string "x"; correct it` {
		t.Fatalf("errors %v", r.Errors)
	}
}

func TestWhatAnAPIServerFillsInIsFilledIn(t *testing.T) {
	t.Parallel()
	r := Parse("w.yaml", []byte(`apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {team: a}}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {a: b}
`))
	noErrors(t, r)
	port := r.Services[0].Spec.Ports[0]
	if port.Protocol != corev1.ProtocolTCP || port.TargetPort.IntValue() != 80 || r.Services[0].Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("service not completed: %+v", r.Services[0].Spec)
	}
	var got []string
	for _, n := range r.Namespaces {
		got = append(got, n.Name+"="+n.Labels[corev1.LabelMetadataName])
	}
	if want := []string{"default=default", "other=other", "shop=shop"}; !slices.Equal(got, want) {
		t.Errorf("namespaces %v, want %v", got, want)
	}
	if s := r.Secrets[0]; string(s.Data["a"]) != "b" || s.StringData != nil {
		t.Errorf("stringData was not moved: %+v", s)
	}
}

func TestKindsThatAreNotReadAreNoted(t *testing.T) {
	t.Parallel()
	r := Parse("n.yaml", []byte(`apiVersion: v1
kind: ServiceAccount
metadata: {name: a}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: a}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: a}
---
apiVersion: v1
kind: Node
metadata: {name: a}
`))
	noErrors(t, r)
	var got []string
	for _, n := range r.Notes {
		got = append(got, n.String())
	}
	want := []string{
		"n.yaml:1: v1 ServiceAccount: left aside, wasmpoint does not read this kind",
		"n.yaml:5: example.com/v1 Thing: left aside, wasmpoint does not read this kind",
		"n.yaml:9: gateway.networking.k8s.io/v1 GRPCRoute: left aside, wasmpoint does not read this kind",
		"n.yaml:13: v1 Node: left aside, wasmpoint does not read this kind",
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

func TestAnObjectInTwoFilesIsAnErrorThatNamesBoth(t *testing.T) {
	t.Parallel()
	dir := world(t, map[string]string{"a.yaml": plugin("x", "oci://a/one"), "b.yaml": "---\n" + plugin("x", "oci://a/two")})
	r := Load(dir)
	want := filepath.Join(dir, "b.yaml") + ":2: WasmPlugin default/x stands also at " + filepath.Join(dir, "a.yaml") + ":1, which is in force; remove one of them"
	if len(r.Errors) != 1 || r.Errors[0].Error() != want {
		t.Fatalf("errors %v, want %s", r.Errors, want)
	}
	if r.Plugins[0].Wasm.URL != "oci://a/one" {
		t.Errorf("%s is in force", r.Plugins[0].Wasm.URL)
	}
}

func TestAPathThatDoesNotExistIsAnError(t *testing.T) {
	t.Parallel()
	r := Load("/nowhere/at-all")
	if len(r.Errors) != 1 || r.Errors[0].Error() != "/nowhere/at-all: does not exist; check the path" {
		t.Fatalf("errors %v", r.Errors)
	}
}

func TestStandardInputIsReadAsAFile(t *testing.T) {
	t.Parallel()
	r := LoadWith(strings.NewReader(plugin("x", "oci://a/b")), Stdin)
	noErrors(t, r)
	if got := names(r); !slices.Equal(got, []string{"default/x"}) {
		t.Fatalf("plugins %v", got)
	}
}

func TestYAMLsCornersReadAsKubectlReadsThem(t *testing.T) {
	t.Parallel()
	r := Parse("y.yaml", []byte("%YAML 1.2\n---\n"+plugin("x", "oci://a/b")+`  pluginConfig:
    digits: 1.10
    big: 12345678901234567890
    octal: 0o17
    date: 2026-01-01
    nothing: null
    80: a number as key
    base: &b {one: 1}
    merged:
      <<: *b
      two: 2
    again: *b
`))
	noErrors(t, r)
	want := `{"80":"a number as key","again":{"one":1},"base":{"one":1},"big":12345678901234567890,"date":"2026-01-01","digits":1.10,"merged":{"one":1,"two":2},"nothing":null,"octal":15}`
	if got := string(r.Plugins[0].Wasm.Config); got != want {
		t.Errorf("config\n got %s\nwant %s", got, want)
	}
}

func TestAliasBombsAreRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(plugin("x", "oci://a/b") + "  pluginConfig:\n    a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		b.WriteString("    a" + m + ": &a" + m + " [*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + "]\n")
	}
	r := Parse("bomb.yaml", []byte(b.String()))
	if len(r.Errors) == 0 || !strings.Contains(r.Errors[0].Problem, "aliases make the document larger") {
		t.Fatalf("errors %v", r.Errors)
	}
}

func TestValuesOfSecretsStayOutOfMessages(t *testing.T) {
	t.Parallel()
	r := Parse("s.yaml", []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: 4711}\n"))
	if len(r.Errors) != 1 || strings.Contains(r.Errors[0].Error(), "4711") {
		t.Fatalf("errors %v", r.Errors)
	}
}

func TestBothPluginKindsBecomePlugins(t *testing.T) {
	t.Parallel()
	r := Parse("t.yaml", []byte(plugin("x", "oci://a/b")+"---\napiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata:\n  name: x\nspec:\n  lua:\n    inlineCode: x()\n"))
	noErrors(t, r)
	want := []model.Key{{Kind: "TrafficExtension", Namespace: "default", Name: "x"}, {Kind: "WasmPlugin", Namespace: "default", Name: "x"}}
	for i, k := range want {
		if r.Plugins[i].Key != k {
			t.Errorf("plugin %d is %v, want %v", i, r.Plugins[i].Key, k)
		}
	}
}
