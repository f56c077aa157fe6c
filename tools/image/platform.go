package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user owns the data folder and runs the binary. It is a number, so that Kubernetes can see that it is not root.
const user = 65532

// source is where the code is, for the label of that name.
const source = "https://github.com/wasmpoint/wasmpoint"

// labels are the OCI specification's annotations, which stand in the configuration and on manifests.
func (o options) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "wasmpoint",
		"org.opencontainers.image.description": "Attaches WebAssembly and Lua plugins to Gateway API gateways, ambient waypoints and Services",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      source,
		"org.opencontainers.image.version":     o.version,
		"org.opencontainers.image.revision":    o.revision,
		"org.opencontainers.image.created":     o.date.Format(time.RFC3339),
	}
}

// base is what the platforms have in common; it changes seldom, so registries and nodes keep it.
func base(o options) (v1.Layer, error) {
	license, err := os.ReadFile(filepath.Join(o.source, "LICENSE"))
	if err != nil {
		return nil, err
	}
	return layer([]file{
		{name: "etc/", mode: 0o755},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: roots()},
		{name: "licenses/", mode: 0o755},
		{name: "licenses/LICENSE", mode: 0o644, content: license},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: "var/lib/wasmpoint/", mode: 0o700, owner: user},
	}, o.date)
}

// platform makes the image of one architecture.
func platform(o options, arch string, base v1.Layer, binary []byte) (v1.Image, error) {
	program, err := layer([]file{{name: "wasmpoint", mode: 0o755, content: binary}}, o.date)
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	config := &v1.ConfigFile{
		Architecture: arch,
		OS:           "linux",
		Created:      v1.Time{Time: o.date},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprintf("%d:%d", user, user),
			Entrypoint: []string{"/wasmpoint"},
			WorkingDir: "/var/lib/wasmpoint",
			Labels:     o.labels(),
		},
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	history := func(text string) v1.History {
		return v1.History{Created: v1.Time{Time: o.date}, CreatedBy: text}
	}
	return mutate.Append(img,
		mutate.Addendum{Layer: base, History: history("certificate roots, licence, data folder")},
		mutate.Addendum{Layer: program, History: history("wasmpoint")})
}
