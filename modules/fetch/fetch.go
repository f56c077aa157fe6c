// Package fetch brings modules from registries, web servers and files. It works in two steps, so that equal things are
// downloaded once: Open asks what a location is just now (a small request with the plugin's own credentials, which proves
// that it may have it), Load downloads and unpacks. Signature checks belong between the two, by digest.
package fetch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/wasmpoint/wasmpoint/modules/location"
	"github.com/wasmpoint/wasmpoint/modules/unpack"
)

// Options of a Fetcher; zero values mean the defaults.
type Options struct {
	// Mirrors maps a registry's host to the host[:port] to use instead. Credentials are looked up for the mirror.
	Mirrors map[string]string
	// PlainHTTP says for which registry hosts (host[:port]) HTTP without TLS is allowed. Default: loopback hosts.
	PlainHTTP func(host string) bool
	// Transport makes the connections. Default: a transport with sensible time limits that honours HTTPS_PROXY. A filter of
	// target addresses belongs into its dialer.
	Transport http.RoundTripper
	// MaxModule is the largest module in bytes (default 256 MiB), MaxDownload the largest blob or body before unpacking
	// (default twice MaxModule).
	MaxModule, MaxDownload int64
	// MaxEntries bounds the files of an archive (default 100,000).
	MaxEntries int
	// Stall is how long a source may send nothing (default 30 s).
	Stall time.Duration
	// Files is the folder below which file:// URLs may name files: "/" allows all of them, "" (the default) none. In a cluster
	// the files are the controller's own.
	Files string
	// Logger gets debug lines. Default: slog.Default().
	Logger *slog.Logger
}

// Fetcher fetches. It has no state besides idle connections and is safe for concurrent use.
type Fetcher struct{ o Options }

// New makes a Fetcher.
func New(o Options) *Fetcher {
	if o.MaxModule <= 0 {
		o.MaxModule = 256 << 20
	}
	if o.MaxDownload <= 0 {
		o.MaxDownload = 2 * o.MaxModule
	}
	if o.MaxEntries <= 0 {
		o.MaxEntries = 100_000
	}
	if o.Stall <= 0 {
		o.Stall = 30 * time.Second
	}
	if o.PlainHTTP == nil {
		o.PlainHTTP = Loopback
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		// What a server sends is what is hashed; unpacking is done by content.
		t.DisableCompression = true
		t.ResponseHeaderTimeout = o.Stall
		o.Transport = t
	}
	return &Fetcher{o: o}
}

// Loopback says whether host (with or without a port) is this machine.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Limits are the limits for an unpack.Scanner that an Artifact is loaded into.
func (f *Fetcher) Limits() unpack.Limits {
	return unpack.Limits{Module: f.o.MaxModule, Total: 4 * f.o.MaxModule, Entries: f.o.MaxEntries}
}

// Request says what to fetch, and as whom.
type Request struct {
	Location location.Location
	// Auth is the registry account, authn.AuthConfig{} for none. HTTP and file sources never see it.
	Auth authn.AuthConfig
	// HasSecret says whether the plugin named a pull secret, for messages only.
	HasSecret bool
}

// Artifact is what a location is just now.
type Artifact struct {
	// ID identifies the content for sharing: equal IDs have equal modules, and whoever could Open the one may have the
	// other. It names registry, repository and manifest digest, because access is granted per repository. "" if the
	// content is known only by loading it.
	ID string
	// Resolved is the digest of the manifest that was chosen ("sha256:…"), "" for HTTP and files.
	Resolved string
	// Digests are further hex SHA-256 values that a plugin's sha256 may name instead of the module's: the index's and
	// the manifest's for OCI, the body's as served for HTTP and files (known after Load).
	Digests []string
	// Name is the location for messages.
	Name string

	load func(ctx context.Context, into *unpack.Scanner) error
}

// Load downloads the artifact into a scanner, whose Result is the module. Every byte of a blob is compared with its
// digest. Errors are of type *Error.
func (a *Artifact) Load(ctx context.Context, into *unpack.Scanner) error { return a.load(ctx, into) }

// Open asks what the location is just now. Errors are of type *Error.
func (f *Fetcher) Open(ctx context.Context, req Request) (*Artifact, error) {
	switch req.Location.Kind {
	case location.OCI:
		return f.openOCI(ctx, req)
	case location.HTTP:
		return f.openHTTP(ctx, req)
	}
	return f.openFile(req)
}

// scanAll feeds one stream to the scanner, reads it to its end, and sorts errors: of the source, of its digest, of content.
// verify is called when every byte was read.
func scanAll(r *source, into *unpack.Scanner, label, name string, verify func() error) error {
	scanErr := into.Scan(r, label)
	var disk *unpack.WriteError
	if errors.As(scanErr, &disk) {
		return &Error{Kind: Unavailable, Msg: "writing the module: " + disk.Error()}
	}
	if r.err == nil {
		_, _ = io.Copy(io.Discard, r) // the error is in r.err
	}
	if r.err != nil {
		return r.err
	}
	if err := verify(); err != nil {
		return err
	}
	if scanErr != nil {
		return &Error{Kind: Invalid, Msg: name + ": " + scanErr.Error()}
	}
	return nil
}
