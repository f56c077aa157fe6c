package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/wasmpoint/wasmpoint/modules/unpack"
)

// maxManifest bounds manifests, indexes and token answers.
const maxManifest = 4 << 20

// accept lists the manifest types; what comes is then decided by content.
const accept = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1"

// registry is an authenticated connection to one repository.
type registry struct {
	f      *Fetcher
	req    Request
	shown  string
	host   string
	repo   string
	base   string
	plain  func(string) bool
	client *http.Client
}

// connect asks the registry how it wants to be authenticated to, and does so.
func (f *Fetcher) connect(ctx context.Context, req Request) (*registry, error) {
	host, plain := f.registry(req.Location.Ref)
	repo := req.Location.Ref.Context().RepositoryStr()
	r := &registry{f: f, req: req, shown: req.Location.Shown, host: host, repo: repo, plain: f.o.PlainHTTP}
	opts, scheme := []name.Option{}, "https"
	if plain {
		opts, scheme = append(opts, name.Insecure), "http"
	}
	reg, err := name.NewRegistry(host, opts...)
	if err != nil {
		return nil, errf(Unavailable, "%s: the mirror %q is not a host; write host or host:port", r.shown, host)
	}
	auth := authn.Anonymous
	if hasAuth(req.Auth) {
		auth = authn.FromConfig(req.Auth)
	}
	t := &trip{plain: r.plain, limit: maxManifest}
	rt, err := transport.NewWithContext(withTrip(ctx, t), reg, auth,
		transport.NewUserAgent(guard{f.o.Transport, f.o.Stall}, "wasmpoint"), []string{reg.Repo(repo).Scope(transport.PullScope)})
	if err != nil {
		return nil, explain(r.shown, req, t, err)
	}
	r.base = scheme + "://" + host + "/v2/" + repo
	r.client = &http.Client{Transport: rt}
	return r, nil
}

// get requests a path below the repository. The answer's body is limited and watched for stalls.
func (r *registry) get(ctx context.Context, t *trip, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(withTrip(ctx, t), http.MethodGet, r.base+path, nil)
	if err != nil {
		return nil, errf(Unavailable, "%s: %v", r.shown, err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, explain(r.shown, r.req, t, err)
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, explain(r.shown, r.req, t, err)
	}
	return resp, nil
}

// manifest fetches a manifest by tag or digest and computes its digest.
func (r *registry) manifest(ctx context.Context, what string) (raw []byte, digest string, err error) {
	t := &trip{plain: r.plain, limit: maxManifest}
	resp, err := r.get(ctx, t, "/manifests/"+what)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if raw, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", explain(r.shown, r.req, t, err)
	}
	sum := sha256.Sum256(raw)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	if isDigest(what) && digest != what {
		return nil, "", errf(Corrupt, "%s: the registry sent manifest %s when asked for %s; push the image again, or check the mirror", r.shown, digest, what)
	}
	return raw, digest, nil
}

// layer downloads one blob into the scanner and compares it with its digest, to the last byte.
func (r *registry) layer(ctx context.Context, l descriptor, label string, into *unpack.Scanner) error {
	t := &trip{plain: r.plain, limit: r.f.o.MaxDownload}
	resp, err := r.get(ctx, t, "/blobs/"+l.Digest)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	src := &source{r: io.TeeReader(resp.Body, sum), wrap: func(err error) error { return explain(r.shown, r.req, t, err) }}
	return scanAll(src, into, label, r.shown, func() error { return r.compare(sum, l.Digest, label) })
}

func (r *registry) compare(sum hash.Hash, digest, label string) error {
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != digest {
		return errf(Corrupt, "%s: %s is damaged: the registry sent %s instead of %s; push the image again, or check the mirror", r.shown, label, got, digest)
	}
	return nil
}
