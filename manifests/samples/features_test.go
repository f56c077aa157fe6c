package samples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/controllers/explain"
)

// features are the files of that folder but the world.
func features(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("features/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range all {
		if filepath.Base(path) != "world.yaml" {
			out = append(out, path)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d samples of features", len(out))
	}
	return out
}

func TestEveryFeatureWorksInTheirWorldAloneAndTogether(t *testing.T) {
	accepted := func(paths ...string) {
		t.Helper()
		loaded := load(t, append(paths, "features/world.yaml")...)
		result, err := explain.Objects(loaded.All(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Plugins) < len(paths) {
			t.Errorf("%s: %d plugins", paths, len(result.Plugins))
		}
		for _, p := range result.Plugins {
			for _, target := range p.Targets {
				if !target.Accepted {
					t.Errorf("%s: %s %s/%s: %s: %s", paths, p.Kind, p.Namespace, p.Name, target.Reason, target.Message)
				}
			}
		}
	}
	for _, path := range features(t) {
		accepted(path)
	}
	accepted(features(t)...)
}

var oneComment = regexp.MustCompile(`\A# [A-Z][^\n]+\.\napiVersion: `)

func TestEveryFeatureSaysInOneLineWhatItShowsAndStandsInTheList(t *testing.T) {
	list, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(features(t), "features/world.yaml") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !oneComment.Match(content) {
			t.Errorf("%s does not begin with one line that says what it shows", path)
		}
		if n := strings.Count(string(list), "`"+filepath.Base(path)+"`"); n != 1 {
			t.Errorf("%s stands %d times in README.md, want once", filepath.Base(path), n)
		}
	}
}
