// Package location understands the url field of a plugin: which kind of place it names, and where exactly. It does no I/O.
package location

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Kind is the kind of place that a URL names.
type Kind int

// The kinds.
const (
	OCI Kind = iota
	HTTP
	File
)

// Location is an understood url.
type Location struct {
	Kind Kind
	// Ref is set for OCI: the completed reference (docker.io/library, :latest).
	Ref name.Reference
	// URL is set for HTTP.
	URL *url.URL
	// Path is set for File: a cleaned absolute path.
	Path string
	// Shown is the URL for messages and logs: without the query, which may hold a signature.
	Shown string
}

// Pinned says whether the URL itself carries the digest of what it names.
func (l Location) Pinned() bool {
	_, ok := l.Ref.(name.Digest)
	return ok
}

// Moves says whether the default pull policy is Always: the tag latest, no tag (which means latest), and files of this
// machine, which cost nothing to read again.
func (l Location) Moves() bool {
	tag, ok := l.Ref.(name.Tag)
	return l.Kind == File || ok && tag.TagStr() == name.DefaultTag
}

// Host is the host[:port] that a fetch asks first, "" for files.
func (l Location) Host() string {
	switch l.Kind {
	case OCI:
		return l.Ref.Context().RegistryStr()
	case HTTP:
		return l.URL.Host
	}
	return ""
}

// Canonical is the same text for all spellings of one location; it is the part of a source's identity that the URL gives.
func (l Location) Canonical() string {
	switch l.Kind {
	case OCI:
		return "oci://" + l.Ref.Name()
	case HTTP:
		return l.URL.String()
	}
	return "file://" + l.Path
}

var (
	hasScheme  = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)
	oneSlash   = regexp.MustCompile(`^(?i)(oci|https?|file):`)
	portPath   = regexp.MustCompile(`^(?i)(oci|https?|file):[0-9]+/`)
	hexDigest  = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	upperCased = regexp.MustCompile(`[A-Z]`)
)

// Parse understands raw. baseDir is the folder that relative file:// URLs start from, or "" if there is none. Errors name
// the field, the value and the next step, and never repeat a password.
func Parse(raw, baseDir string) (Location, error) {
	shown := Show(raw)
	bad := func(format string, args ...any) (Location, error) {
		return Location{Shown: shown}, fmt.Errorf("url %q: %s", shown, fmt.Sprintf(format, args...))
	}
	switch {
	case raw == "":
		return Location{}, fmt.Errorf("url is empty; name a module, for example oci://ghcr.io/example/plugin:1.0")
	case strings.TrimSpace(raw) != raw || strings.ContainsAny(raw, " \t\r\n"):
		return bad("it contains white space; remove it (a file name may write a blank as %%20)")
	}
	m := hasScheme.FindStringSubmatch(raw)
	if m == nil {
		if oneSlash.MatchString(raw) && !portPath.MatchString(raw) {
			scheme := strings.ToLower(raw[:strings.Index(raw, ":")])
			return bad("after %s: two slashes are missing; write %s://%s", scheme, scheme, example(scheme))
		}
		return parseOCI(raw, raw, shown, bad)
	}
	rest := raw[len(m[0]):]
	switch strings.ToLower(m[1]) {
	case "oci":
		return parseOCI(raw, rest, shown, bad)
	case "http", "https":
		return parseHTTP(raw, shown, bad)
	case "file":
		return parseFile(rest, baseDir, shown, bad)
	}
	return bad("scheme %q is not supported; use oci://, https://, http:// or file://", m[1])
}

func example(scheme string) string {
	switch scheme {
	case "file":
		return "/folder/plugin.wasm, or file://./plugin.wasm for a path that is relative to the manifest"
	case "oci":
		return "registry/repository:tag"
	}
	return "host/plugin.wasm"
}

type badFunc func(format string, args ...any) (Location, error)

func parseOCI(raw, rest, shown string, bad badFunc) (Location, error) {
	first, _, _ := strings.Cut(rest, "/")
	switch {
	case rest == "":
		return bad("the image is missing; write oci://registry/repository:tag")
	case strings.ContainsAny(rest, "?#"):
		return bad("an OCI reference has no query and no fragment; write oci://registry/repository:tag")
	case strings.Contains(first, "@") && !strings.Contains(first, "@sha256:"):
		return bad("user and password do not belong into the URL; put them into a Secret and name it in imagePullSecret")
	case strings.Contains(rest, "@") && !hexDigest.MatchString(rest):
		return bad("the digest after @ must be sha256: and 64 lower-case hex digits")
	case strings.HasPrefix(rest, "/"), strings.HasPrefix(rest, "./"), strings.HasPrefix(rest, "../"):
		return bad("this looks like a file; write file://%s, or oci://registry/repository:tag for an image", strings.TrimPrefix(raw, "oci://"))
	}
	ref, err := name.ParseReference(rest)
	if err != nil {
		repo, _, _ := strings.Cut(rest[strings.Index(rest, "/")+1:], ":")
		if upperCased.MatchString(repo) {
			return bad("an image's name has lower-case letters only; write %s", strings.ToLower(repo))
		}
		return bad("not an OCI reference; write oci://registry/repository:tag or oci://registry/repository@sha256:<64 hex digits>")
	}
	return Location{Kind: OCI, Ref: ref, Shown: shown}, nil
}

func parseHTTP(raw, shown string, bad badFunc) (Location, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return bad("not a URL; check its host, its port and its %% signs")
	case u.User != nil:
		return bad("user and password do not belong into the URL, where everybody can read them; HTTP sources must be public, or use an OCI registry with imagePullSecret")
	case u.Hostname() == "":
		return bad("the host is missing; write %s://host/plugin.wasm", strings.ToLower(u.Scheme))
	}
	u.Scheme, u.Host, u.Fragment, u.RawFragment = strings.ToLower(u.Scheme), strings.ToLower(u.Host), "", ""
	return Location{Kind: HTTP, URL: u, Shown: shown}, nil
}

func parseFile(rest, baseDir, shown string, bad badFunc) (Location, error) {
	host, _, _ := strings.Cut(rest, "/")
	path, err := url.PathUnescape(rest)
	switch {
	case err != nil:
		return bad("a %% sign must be followed by two hex digits (%%25 is the sign itself)")
	case strings.ContainsRune(path, 0):
		return bad("a path cannot contain a zero byte")
	case path == "" || path == "/" || path == "." || path == "./":
		return bad("the path is missing; write file:///folder/plugin.wasm or file://./plugin.wasm")
	case strings.EqualFold(host, "localhost"):
		path = path[len(host):]
	case host == "." || host == "..":
		if baseDir == "" {
			return bad("a relative path needs a manifest file to start from, and this plugin came from none; write file:///folder/plugin.wasm")
		}
		if path, err = filepath.Abs(filepath.Join(baseDir, path)); err != nil {
			return bad("the manifest's folder cannot be made absolute")
		}
	case host != "":
		return bad("file://%s names a host, not a folder; write file:///%s for an absolute path, or file://./%s for one that is relative to the manifest", host, rest, rest)
	}
	if strings.HasSuffix(path, "/") {
		return bad("this is a folder; name the module's file in it")
	}
	return Location{Kind: File, Path: filepath.Clean(path), Shown: shown}, nil
}

// Show is raw for messages: without its query and without user and password.
func Show(raw string) string {
	scheme := hasScheme.FindString(raw)
	rest := raw[len(scheme):]
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + "?…"
	}
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 && !strings.Contains(authority[i:], "@sha256:") {
		authority = "…" + authority[i:]
	}
	if slash {
		authority += "/"
	}
	if len(path) > 512 {
		path = path[:512] + "…"
	}
	return scheme + authority + path
}
