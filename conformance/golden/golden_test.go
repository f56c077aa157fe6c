package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/explain"
	"github.com/wasmpoint/wasmpoint/controllers/files"
)

var update = flag.Bool("update", false, "write the .out.yaml files anew")

// minimum is how many worlds there must be.
const minimum = 65

// rootDirective sets the root namespace of a world.
var rootDirective = regexp.MustCompile(`(?m)^# root-namespace: (\S+)$`)

func TestEveryWorldIsExplainedAsItsGoldenFileSays(t *testing.T) {
	t.Parallel()
	worlds := list(t)
	if len(worlds) < minimum {
		t.Errorf("%d worlds, want at least %d", len(worlds), minimum)
	}
	for _, in := range worlds {
		t.Run(strings.TrimSuffix(in, ".in.yaml"), func(t *testing.T) {
			t.Parallel()
			purpose, objects, root := read(t, in)
			got := render(t, purpose, objects, root)
			golden := strings.TrimSuffix(in, ".in.yaml") + ".out.yaml"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s\ngot\n%s\nwant\n%s\nif the new answer is right, run: go test ./conformance/golden -update", purpose, got, want)
			}
		})
	}
}

func TestTheOrderOfObjectsDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, in := range list(t) {
		purpose, objects, root := read(t, in)
		want := render(t, purpose, objects, root)
		slices.Reverse(objects)
		if got := render(t, purpose, objects, root); !bytes.Equal(got, want) {
			t.Errorf("%s: objects in reverse order give\n%s\nwant\n%s", in, got, want)
		}
	}
}

func TestEveryReasonStandsInSomeWorld(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "..", "apis", "extensions", "v1alpha1", "reasons.go"))
	if err != nil {
		t.Fatal(err)
	}
	accepted, _, found := strings.Cut(string(source), "// Reasons of ResolvedRefs.")
	if !found {
		t.Fatal("reasons.go has no comment `Reasons of ResolvedRefs` any more; correct this test")
	}
	var all strings.Builder
	for _, in := range list(t) {
		out, err := os.ReadFile(strings.TrimSuffix(in, ".in.yaml") + ".out.yaml")
		if err != nil {
			t.Fatal(err)
		}
		all.Write(out)
	}
	for _, m := range regexp.MustCompile(`Reason\w+ += "(\w+)"`).FindAllStringSubmatch(accepted, -1) {
		if !strings.Contains(all.String(), "reason: "+m[1]+"\n") {
			t.Errorf("no world shows the reason %s; add one", m[1])
		}
	}
}

func list(t *testing.T) []string {
	t.Helper()
	worlds, err := filepath.Glob("*.in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return worlds
}

// read loads a world. Its first line must be one sentence that says what it is for. Without a directive the root namespace
// is left to the rules' default.
func read(t *testing.T, in string) (purpose string, objects []any, root string) {
	t.Helper()
	content, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	purpose, _, _ = strings.Cut(string(content), "\n")
	if !strings.HasPrefix(purpose, "# ") || !strings.HasSuffix(purpose, ".") {
		t.Errorf("%s: the first line must be a comment with one sentence of purpose, and is %q", in, purpose)
	}
	loaded := files.Load(in)
	for _, e := range loaded.Errors {
		t.Error(e)
	}
	if m := rootDirective.FindStringSubmatch(string(content)); m != nil {
		root = m[1]
	}
	return purpose, loaded.All(), root
}

func render(t *testing.T, purpose string, objects []any, root string) []byte {
	t.Helper()
	result, err := explain.Objects(objects, root)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString(purpose + "\n")
	if err := explain.Write(&out, result, "yaml"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
