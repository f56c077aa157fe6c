package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// manifest is what an image manifest or an index says, as far as it matters. Which of the two it is follows from its
// content: registries and tools disagree too often about media types.
type manifest struct {
	index    bool
	layers   []descriptor
	children []descriptor
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
	ArtifactType string            `json:"artifactType"`
	Platform     *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// maxLayers bounds layers and children; real images have few.
const maxLayers = 256

func parseManifest(raw []byte) (manifest, error) {
	var m struct {
		SchemaVersion int          `json:"schemaVersion"`
		Layers        []descriptor `json:"layers"`
		Manifests     []descriptor `json:"manifests"`
		FSLayers      []any        `json:"fsLayers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return manifest{}, errors.New("it is not JSON; the address is probably no registry")
	}
	switch {
	case m.FSLayers != nil || m.SchemaVersion == 1:
		return manifest{}, errors.New("it has Docker's old schema 1; push the image again with a current tool")
	case m.Manifests != nil:
		if len(m.Manifests) > maxLayers {
			return manifest{}, fmt.Errorf("it lists %d images, more than the limit of %d", len(m.Manifests), maxLayers)
		}
		return manifest{index: true, children: m.Manifests}, nil
	case len(m.Layers) == 0:
		return manifest{}, errors.New("it has no layers; put the module in as plugin.wasm")
	case len(m.Layers) > maxLayers:
		return manifest{}, fmt.Errorf("it lists %d layers, more than the limit of %d", len(m.Layers), maxLayers)
	}
	for _, l := range m.Layers {
		if !isDigest(l.Digest) {
			return manifest{}, fmt.Errorf("its layer has the digest %q; only sha256 is supported", oneLine(l.Digest, 100))
		}
	}
	return manifest{layers: m.Layers}, nil
}

// wasm says whether the layer's media type announces a module: the CNCF form, and the older two-layer form.
func (d descriptor) wasm() bool {
	switch d.MediaType {
	case "application/wasm", "application/vnd.wasm.content.layer.v1+wasm", "application/vnd.module.wasm.content.layer.v1+wasm":
		return true
	}
	return false
}

// attestation says whether an index entry is no image: provenance and SBOM that build tools add.
func (d descriptor) attestation() bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

func (d descriptor) platform() string {
	if d.Platform == nil || d.Platform.OS == "" && d.Platform.Architecture == "" {
		return ""
	}
	return d.Platform.OS + "/" + d.Platform.Architecture
}

// choose picks the image of an index: for WebAssembly, else for linux/amd64, else without a platform, else the only one.
// Modules are the same for every machine, so any of them is right if there is just one.
func choose(children []descriptor) (digest string, err error) {
	var images []descriptor
	for _, c := range children {
		if !c.attestation() {
			images = append(images, c)
		}
	}
	rank := func(d descriptor) int {
		p := d.Platform
		switch {
		case d.platform() == "":
			return 2
		case strings.HasPrefix(p.Architecture, "wasm"), strings.HasPrefix(p.OS, "wasi"):
			return 4
		case p.OS == "linux" && p.Architecture == "amd64":
			return 3
		}
		return 1
	}
	best := -1
	for i, d := range images {
		if best < 0 || rank(d) > rank(images[best]) {
			best = i
		}
	}
	switch {
	case best < 0:
		return "", fmt.Errorf("it lists no image (%d entries, attestations left out); push an image for wasip1/wasm or linux/amd64", len(children))
	case rank(images[best]) == 1 && len(images) > 1:
		var have []string
		for _, d := range images {
			have = append(have, d.platform())
		}
		return "", fmt.Errorf("it has images for %s only; push one for wasip1/wasm or linux/amd64", oneLine(strings.Join(have, ", "), 200))
	case !isDigest(images[best].Digest):
		return "", fmt.Errorf("its image has the digest %q; only sha256 is supported", oneLine(images[best].Digest, 100))
	}
	return images[best].Digest, nil
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
