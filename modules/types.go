package modules

import (
	"log/slog"
	"net/http"
	"time"
)

// Source says where a module comes from, as a plugin declares it.
type Source struct {
	// URL is the plugin's url: oci://, http://, https://, file:// or no scheme, which means OCI.
	URL string
	// SHA256 is the plugin's sha256, or "". For OCI it may be the digest of the manifest, of the index or of the module;
	// for HTTP and files of the module or of the file as it is served.
	SHA256 string
	// PullPolicy is "IfNotPresent", "Always" or unspecified, which means IfNotPresent, except for the tag latest (or no
	// tag) and for files.
	PullPolicy string
	// BaseDir is the folder that relative file:// URLs start from.
	BaseDir string
	// DockerConfig is the content of the pull secret (.dockerconfigjson), nil if the plugin names none.
	DockerConfig []byte
	// Generation is the plugin's metadata.generation: with Always, a new one asks the source again.
	Generation int64
}

// State is what the Manager knows about an owner's module.
type State struct {
	// Ready says that the module is here, checked, and may be served. It stays true while a newer one is looked for.
	Ready bool
	// Digest is the hex SHA-256 of the module's bytes; Size its length in bytes; ABI its proxy-wasm ABI ("0.2.1"). All are
	// set when Ready.
	Digest string
	Size   int64
	ABI    string
	// ResolvedDigest is the digest of the OCI manifest that the URL led to ("sha256:…"), "" for other sources.
	ResolvedDigest string
	// Reason is a reason of the condition ResolvedRefs (apis/extensions/v1alpha1).
	Reason string
	// Err is the last error, for users, "" if there is none. It may be set beside Ready: then the last module stays in
	// force and looking for a newer one failed.
	Err string
	// Attempts counts the failed attempts in a row; NextTry is when the next one begins.
	Attempts int
	NextTry  time.Time
	// Since is when Ready, Reason or Digest changed last.
	Since time.Time
}

// Clock is the time as the Manager sees it.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d, unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// SystemClock is the real time.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (SystemClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// Options of a Manager. Only Dir is needed; zero values mean the defaults.
type Options struct {
	// Dir is the folder of the store; it is made if needed and belongs to one process at a time.
	Dir string
	// Mirrors maps a registry's host to the host[:port] to ask instead.
	Mirrors map[string]string
	// PlainHTTP says which registry hosts may be asked without TLS. Default: loopback hosts.
	PlainHTTP func(host string) bool
	// Transport makes the connections. Default: one with sensible time limits.
	Transport http.RoundTripper
	// Files is the folder below which file:// URLs may name files: "/" allows all of them, "" (the default) none. In a cluster
	// the files are the controller's own.
	Files string
	// MaxModuleBytes is the largest module (default 256 MiB), MaxDownloadBytes the largest download before unpacking
	// (default twice that).
	MaxModuleBytes, MaxDownloadBytes int64
	// AttemptTimeout bounds one attempt (default 10 min), StallTimeout how long a source may send nothing (default 30 s).
	AttemptTimeout, StallTimeout time.Duration
	// PerHost bounds the attempts that are under way against one host (default 8).
	PerHost int
	// GCGrace is how long a module that nobody uses stays (default 24 h), GCInterval how often is looked (default 10 min).
	GCGrace, GCInterval time.Duration
	// Logger gets one line per change. Default: slog.Default().
	Logger *slog.Logger
	// Clock is the time (default SystemClock); Jitter gives numbers in [0,1) for the back-off (default math/rand).
	Clock  Clock
	Jitter func() float64
}
