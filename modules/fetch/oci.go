package fetch

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/wasmpoint/wasmpoint/modules/location"
	"github.com/wasmpoint/wasmpoint/modules/unpack"
)

// Account is the registry account that a docker config JSON has for a location: of the mirror, if there is one. It is
// empty for HTTP and file sources. The error is ErrSecret.
func (f *Fetcher) Account(l location.Location, dockerConfig []byte) (authn.AuthConfig, error) {
	if l.Kind != location.OCI {
		return authn.AuthConfig{}, nil
	}
	host, _ := f.registry(l.Ref)
	return Credentials(dockerConfig, host, l.Ref.Context().RepositoryStr())
}

// registry is the host to ask for a reference, and whether plain HTTP is allowed for it.
func (f *Fetcher) registry(ref name.Reference) (host string, plain bool) {
	host = ref.Context().RegistryStr()
	mirror := f.o.Mirrors[host]
	if mirror == "" && host == name.DefaultRegistry {
		mirror = f.o.Mirrors["docker.io"]
	}
	if mirror != "" {
		host = mirror
	}
	return host, f.o.PlainHTTP(host)
}

// openOCI reads the manifest, through at most two indexes.
func (f *Fetcher) openOCI(ctx context.Context, req Request) (*Artifact, error) {
	ref, shown := req.Location.Ref, req.Location.Shown
	reg, err := f.connect(ctx, req)
	if err != nil {
		return nil, err
	}
	a := &Artifact{Name: shown}
	what := ref.Identifier()
	for depth := 0; ; depth++ {
		raw, digest, err := reg.manifest(ctx, what)
		if err != nil {
			return nil, err
		}
		a.Digests = append(a.Digests, strings.TrimPrefix(digest, "sha256:"))
		m, err := parseManifest(raw)
		if err != nil {
			return nil, errf(Invalid, "%s: manifest %s: %v", shown, digest, err)
		}
		if !m.index {
			a.Resolved = digest
			a.ID = reg.host + "/" + reg.repo + "@" + digest
			a.load = func(ctx context.Context, into *unpack.Scanner) error { return reg.load(ctx, m, into) }
			return a, nil
		}
		if depth == 2 {
			return nil, errf(Invalid, "%s: an index of indexes of indexes; push the image itself, or one index", shown)
		}
		if what, err = choose(m.children); err != nil {
			return nil, errf(Invalid, "%s: index %s: %v", shown, digest, err)
		}
	}
}

// load searches the layers: those that say they are a module first, then the last layer before the ones below it.
func (r *registry) load(ctx context.Context, m manifest, into *unpack.Scanner) error {
	var sum int64
	for _, l := range m.layers {
		if sum += l.Size; l.Size < 0 || sum > r.f.o.MaxDownload {
			return errf(Invalid, "%s: its layers have more than the limit of %d bytes; an image for a plugin holds the plugin alone", r.shown, r.f.o.MaxDownload)
		}
	}
	for _, i := range layerOrder(m.layers) {
		l := m.layers[i]
		label := fmt.Sprintf("layer %d of %d (%s)", i+1, len(m.layers), oneLine(l.MediaType, 80))
		if err := r.layer(ctx, l, label, into); err != nil {
			return err
		}
		if into.Found() {
			return nil
		}
	}
	return nil
}

func layerOrder(layers []descriptor) []int {
	var first, rest []int
	for i, l := range layers {
		if l.wasm() {
			first = append(first, i)
		}
	}
	for i := len(layers) - 1; i >= 0; i-- {
		if !layers[i].wasm() {
			rest = append(rest, i)
		}
	}
	return append(first, rest...)
}
