package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func TestEveryBehaviourIsOneGoFileAndOneYAMLFileOfTheSameName(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		name := strings.TrimSuffix(f, ".go")
		if name == "all" || strings.HasSuffix(name, "_test") {
			continue
		}
		names = append(names, name)
		if _, err := os.Stat(name + ".yaml"); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		used := func(test suite.Test) bool { return slices.Contains(test.Manifests, name+".yaml") }
		if !slices.ContainsFunc(All, used) {
			t.Errorf("%s.yaml is in no test's Manifests", name)
		}
	}
	if len(names) != len(All) {
		t.Errorf("%d files, %d registered tests", len(names), len(All))
	}
	yamls, err := filepath.Glob("*.yaml")
	if err != nil || len(yamls) != len(names) {
		t.Errorf("%d YAML files, %v; want %d", len(yamls), err, len(names))
	}
}

func TestEveryBehaviourSaysInOneSentenceWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, test := range All {
		if seen[test.ShortName] {
			t.Errorf("two tests are called %s", test.ShortName)
		}
		seen[test.ShortName] = true
		if d := test.Description; len(d) < 30 || !strings.HasSuffix(d, ".") || strings.Count(d, ". ") > 0 {
			t.Errorf("%s: %q is no sentence", test.ShortName, d)
		}
		for _, m := range test.Manifests {
			if _, err := Manifests.ReadFile(m); err != nil {
				t.Errorf("%s: %v", test.ShortName, err)
			}
		}
	}
}

func TestEveryFeatureOfAProfileHasABehaviourInItAndEveryBehaviourAProfile(t *testing.T) {
	inSome := map[string]bool{}
	for _, p := range suite.Profiles {
		used := map[features.FeatureName]bool{}
		for _, test := range All {
			if len(test.Features) == 0 || !p.Has(test) {
				continue
			}
			inSome[test.ShortName] = true
			for _, f := range test.Features {
				used[f] = true
			}
		}
		for _, f := range slices.Concat(p.Core, p.Extended) {
			if !used[f] {
				t.Errorf("%s: no behaviour needs the feature %s", p.Name, f)
			}
		}
	}
	for _, test := range All {
		if !inSome[test.ShortName] {
			t.Errorf("%s with the features %v is in no profile", test.ShortName, test.Features)
		}
	}
}
