package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built is the image with what is attached to it.
type built struct {
	// index holds one manifest a platform.
	index v1.ImageIndex
	// attached holds one SBOM a platform.
	attached []v1.Image
	version  string
}

// build makes everything in memory; only the compiler writes files, to a folder of its own.
func build(ctx context.Context, o options) (*built, error) {
	dir, err := os.MkdirTemp("", "wasmpoint-image-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the image is in memory by then
	common, err := base(o)
	if err != nil {
		return nil, err
	}
	b := &built{index: mutate.IndexMediaType(empty.Index, types.OCIImageIndex), version: o.version}
	for _, arch := range architectures {
		path := filepath.Join(dir, arch)
		if err := compile(ctx, o.source, arch, path); err != nil {
			return nil, err
		}
		binary, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		img, err := platform(o, arch, common, binary)
		if err != nil {
			return nil, err
		}
		b.index = mutate.AppendManifests(b.index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
		list, err := sbom(o, arch, binary)
		if err != nil {
			return nil, err
		}
		a, err := attach(img, list, map[string]string{"org.opencontainers.image.created": o.labels()["org.opencontainers.image.created"]})
		if err != nil {
			return nil, err
		}
		b.attached = append(b.attached, a)
	}
	// Registries show the annotations of what a tag names, which is the index.
	b.index = mutate.Annotations(b.index, o.labels()).(v1.ImageIndex)
	return b, nil
}

// write replaces dir by an OCI layout: the index under its version, and the attached manifests beside it.
func (b *built) write(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		// Whatever else is there is not ours to remove.
		if _, err := layout.FromPath(dir); err != nil {
			return fmt.Errorf("%s is there and is no OCI layout; remove it or name another folder", dir)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	all := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add:        b.index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": b.version}},
	})
	for _, a := range b.attached {
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: a})
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	_, err := layout.Write(dir, all)
	return err
}

// push sends everything to a registry; a registry without the referrers API gets the specification's fallback tag.
func (b *built) push(ctx context.Context, to string, opts ...remote.Option) error {
	tag, err := name.NewTag(to, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("%q is not REPOSITORY:TAG: %w", to, err)
	}
	opts = append([]remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}, opts...)
	if err := remote.WriteIndex(tag, b.index, opts...); err != nil {
		return fmt.Errorf("pushing to %s: %w", to, err)
	}
	for _, a := range b.attached {
		digest, err := a.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(tag.Digest(digest.String()), a, opts...); err != nil {
			return fmt.Errorf("pushing the SBOM to %s: %w", to, err)
		}
	}
	return nil
}
