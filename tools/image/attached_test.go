package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spdxjson "github.com/spdx/tools-golang/json"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// document reads the SBOM of an attached manifest, and checks blob and manifest against their digests.
func document(t *testing.T, a v1.Image) *spdx.Document {
	t.Helper()
	layers, err := a.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatal(layers, err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := layers[0].Digest(); err != nil || want.Hex != fmt.Sprintf("%x", sha256.Sum256(content)) {
		t.Errorf("blob %s, %v", want, err)
	}
	doc, err := spdxjson.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	v, ok := any(doc).(*spdx.Document)
	if !ok {
		t.Fatalf("%T is not SPDX 2.3", doc)
	}
	return v
}

func TestEachPlatformHasAnSBOMOfAllModulesAsReferrer(t *testing.T) {
	index, all, root := written(t)
	subjects := map[string]string{}
	for platform, img := range platforms(t, index) {
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		subjects[digest.String()] = platform
	}
	for _, d := range all.Manifests[1:] {
		if d.ArtifactType != "application/spdx+json" {
			t.Errorf("artifact type %q", d.ArtifactType)
		}
		a, err := root.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		platform := subjects[m.Subject.Digest.String()]
		if platform == "" || m.ArtifactType != "application/spdx+json" {
			t.Errorf("subject %+v, type %s", m.Subject, m.ArtifactType)
		}
		delete(subjects, m.Subject.Digest.String())
		mustListAll(t, platform, document(t, a))
	}
	if len(subjects) > 0 {
		t.Errorf("without SBOM: %v", subjects)
	}
}

// mustListAll compares with what the go command says is linked, which nothing here reads.
func mustListAll(t *testing.T, platform string, doc *spdx.Document) {
	t.Helper()
	var got []string
	for _, p := range doc.Packages {
		got = append(got, p.PackageName)
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/wasmpoint")
	cmd.Dir = testOptions.source
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+strings.TrimPrefix(platform, "linux/"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := append(strings.Fields(string(out)), "stdlib", rootsModule)
	slices.Sort(want)
	want = slices.Compact(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || !slices.Contains(got, "github.com/wasmpoint/wasmpoint") {
		t.Errorf("%s lists\n%s\nwant\n%s", platform, strings.Join(got, " "), strings.Join(want, " "))
	}
	if us := doc.Packages[0]; us.PackageVersion != "v1.2.3" || !strings.Contains(us.PackageSourceInfo, testOptions.revision) {
		t.Errorf("%s: %+v", platform, us)
	}
}

func TestAPushedImageCanBePulledAndItsSBOMFound(t *testing.T) {
	b, err := once()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/wasmpoint"
	if err := b.push(context.Background(), repository+":v1.2.3"); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(repository + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	for platform, img := range platforms(t, index) {
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		referrers, err := remote.Referrers(tag.Digest(digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		m, err := referrers.IndexManifest()
		if err != nil || len(m.Manifests) != 1 {
			t.Fatalf("%s: %v, %v", platform, m, err)
		}
		a, err := remote.Image(tag.Digest(m.Manifests[0].Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		// This registry takes the configuration's type for the artifact's, so it is read from the manifest.
		if found, err := a.Manifest(); err != nil || found.ArtifactType != "application/spdx+json" {
			t.Errorf("%s: %+v, %v", platform, found, err)
		}
		mustListAll(t, platform, document(t, a))
	}
}

func TestAPushGoesToATagOnly(t *testing.T) {
	for _, to := range []string{"registry.example/x", "registry.example/x@sha256:00", "no tag:at all"} {
		if err := (&built{}).push(context.Background(), to); err == nil || !strings.Contains(err.Error(), "is not REPOSITORY:TAG") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
