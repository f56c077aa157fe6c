package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var testOptions = options{source: "../..", version: "v1.2.3", revision: "0123456789abcdef0123456789abcdef01234567", date: time.Unix(1700000000, 0).UTC()}

// once builds one image for all tests, from the sources as they are.
var once = sync.OnceValues(func() (*built, error) { return build(context.Background(), testOptions) })

// written is the image as it was read again from its layout.
func written(t *testing.T) (index v1.ImageIndex, all *v1.IndexManifest, root v1.ImageIndex) {
	t.Helper()
	b, err := once()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "image")
	if err := b.write(dir); err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if root, err = path.ImageIndex(); err != nil {
		t.Fatal(err)
	}
	if all, err = root.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	if index, err = root.ImageIndex(all.Manifests[0].Digest); err != nil {
		t.Fatal(err)
	}
	return index, all, root
}

// platforms are the images by architecture.
func platforms(t *testing.T, index v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]v1.Image{}
	for _, d := range m.Manifests {
		img, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		out[d.Platform.OS+"/"+d.Platform.Architecture] = img
	}
	return out
}

// contents are the files of all layers, folders with a slash at the end.
func contents(t *testing.T, img v1.Image) (files map[string][]byte, headers map[string]*tar.Header) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files, headers = map[string][]byte{}, map[string]*tar.Header{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for archive := tar.NewReader(r); ; {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if files[h.Name], err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
			headers[h.Name] = h
		}
		r.Close()
	}
	return files, headers
}

func TestTheLayoutHoldsOneValidImageForTwoPlatforms(t *testing.T) {
	index, all, _ := written(t)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if got := all.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; got != "v1.2.3" || len(all.Manifests) != 3 {
		t.Errorf("name %q, %d manifests in the layout, want one image and two SBOMs", got, len(all.Manifests))
	}
	if got := slices.Sorted(maps.Keys(platforms(t, index))); !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %v", got)
	}
	m, err := index.IndexManifest()
	if err != nil || m.Annotations["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("annotations of the index: %v, %v", m, err)
	}
}

func TestTheConfigurationNamesANumericUserTheProgramAndItsOrigin(t *testing.T) {
	index, _, _ := written(t)
	for name, img := range platforms(t, index) {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c.OS+"/"+c.Architecture != name || c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/wasmpoint"}) || len(c.Config.Cmd) != 0 {
			t.Errorf("%s: %s/%s, user %q, entrypoint %q, command %q", name, c.OS, c.Architecture, c.Config.User, c.Config.Entrypoint, c.Config.Cmd)
		}
		for label, want := range map[string]string{"version": "v1.2.3", "revision": testOptions.revision, "source": source, "created": "2023-11-14T22:13:20Z", "licenses": "Apache-2.0"} {
			if got := c.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("%s: label %s is %q, want %q", name, label, got, want)
			}
		}
	}
}

func TestTheImageHoldsNothingButTheProgramItsDataFolderRootsAndLicence(t *testing.T) {
	index, _, _ := written(t)
	for name, img := range platforms(t, index) {
		files, headers := contents(t, img)
		want := "etc/ etc/ssl/ etc/ssl/certs/ etc/ssl/certs/ca-certificates.crt licenses/ licenses/LICENSE var/ var/lib/ var/lib/wasmpoint/ wasmpoint"
		if got := strings.Join(slices.Sorted(maps.Keys(files)), " "); got != want {
			t.Errorf("%s holds %s\nwant %s", name, got, want)
		}
		for path, h := range headers {
			owner := 0
			if path == "var/lib/wasmpoint/" {
				owner = user
			}
			if h.Uid != owner || h.Gid != owner || h.Mode&0o6022 != 0 || !h.ModTime.Equal(testOptions.date) {
				t.Errorf("%s: %s belongs to %d:%d, mode %o, time %s", name, path, h.Uid, h.Gid, h.Mode, h.ModTime)
			}
		}
		program, err := elf.NewFile(bytes.NewReader(files["wasmpoint"]))
		if err != nil {
			t.Fatal(err)
		}
		if wantMachine := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}[name]; program.Machine != wantMachine {
			t.Errorf("%s: the program is for %s", name, program.Machine)
		}
		for _, p := range program.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s: the program is not static", name)
			}
		}
	}
}

func TestTheRootsAreCertificatesOfAuthorities(t *testing.T) {
	rest, n := roots(), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			t.Errorf("certificate %d: %v", n, err)
		}
		n++
	}
	if n < 80 || len(rest) != 0 || !x509.NewCertPool().AppendCertsFromPEM(roots()) {
		t.Errorf("%d certificates, %d bytes are none", n, len(rest))
	}
}

func TestTheProgramOfTheImageRuns(t *testing.T) {
	index, _, _ := written(t)
	img := platforms(t, index)["linux/"+runtime.GOARCH]
	if img == nil {
		t.Fatalf("there is no image for this machine, linux/%s", runtime.GOARCH)
	}
	files, _ := contents(t, img)
	path := filepath.Join(t.TempDir(), "wasmpoint")
	if err := os.WriteFile(path, files["wasmpoint"], 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n  standalone ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheSameSourcesElsewhereGiveTheSameImage(t *testing.T) {
	first, err := once()
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions
	o.source = t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "LICENSE", "cmd", "apis", "controllers", "modules", "xds", "manifests"} {
		from := filepath.Join(testOptions.source, part)
		if info, err := os.Stat(from); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			err = os.CopyFS(filepath.Join(o.source, part), os.DirFS(from))
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.source, part), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "-tags=of-somebody")
	second, err := build(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := first.index.Digest()
	b, errB := second.index.Digest()
	if errA != nil || errB != nil || a != b {
		t.Errorf("%s and %s, %v, %v", a, b, errA, errB)
	}
	for i := range first.attached {
		a, _ := first.attached[i].Digest()
		if b, _ := second.attached[i].Digest(); a != b {
			t.Errorf("SBOM %d: %s and %s", i, a, b)
		}
	}
}

func TestAFolderThatIsNoLayoutIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&built{}).write(dir)
	if err == nil || !strings.Contains(err.Error(), "is no OCI layout; remove it or name another folder") {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
