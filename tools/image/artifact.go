package main

import (
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The OCI specification's way to attach something: a manifest with artifactType and subject, and an empty configuration.
const (
	emptyType  = types.MediaType("application/vnd.oci.empty.v1+json")
	spdxType   = types.MediaType("application/spdx+json")
	emptyValue = "{}"
)

// artifact is a manifest with one blob. It is a partial.CompressedImageCore, so that it can be stored and pushed as images are.
type artifact struct {
	blob     v1.Layer
	manifest []byte
}

// attach makes the artifact that says content about subject.
func attach(subject v1.Image, content []byte, annotations map[string]string) (v1.Image, error) {
	about, err := partial.Descriptor(subject)
	if err != nil {
		return nil, err
	}
	blob := static.NewLayer(content, spdxType)
	blobDescriptor, err := partial.Descriptor(blob)
	if err != nil {
		return nil, err
	}
	config := static.NewLayer([]byte(emptyValue), emptyType)
	configDescriptor, err := partial.Descriptor(config)
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  string(spdxType),
		Config:        *configDescriptor,
		Layers:        []v1.Descriptor{*blobDescriptor},
		Subject:       &v1.Descriptor{MediaType: about.MediaType, Size: about.Size, Digest: about.Digest},
		Annotations:   annotations,
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{blob: blob, manifest: manifest})
}

func (artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (artifact) RawConfigFile() ([]byte, error) { return []byte(emptyValue), nil }

func (a artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	digest, err := a.blob.Digest()
	if err != nil {
		return nil, err
	}
	if h != digest {
		return nil, fmt.Errorf("the artifact has no blob %s, only %s", h, digest)
	}
	return a.blob, nil
}
