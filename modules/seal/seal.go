// Package seal makes the addresses of modules unguessable: a proxy's fetch of a module carries no token, so the address is the
// proof that the controller gave it. The path holds an HMAC of the module's digest; without it nothing is there.
//
// The HMAC does not cover the query. The stream that it names is a secret of its own (xds/server.QueryProxy).
//
// The address stands in no version of a slot, so another key sends nothing again.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/wasmpoint/wasmpoint/modules"
)

// size is how many bytes of the HMAC are used: 128 bits, which nobody guesses.
const size = 16

// prefix begins the path of a sealed module: the HMAC follows, and then the rest of modules.PathPrefix.
const prefix = "/modules/"

// rest is what modules.PathPrefix has after prefix.
var rest = strings.TrimPrefix(modules.PathPrefix, prefix)

// Keys gives the key that signs and another one that is good as well, nil if there is none: another replica may sign with that one
// already, or signed with it until a moment ago.
type Keys func() (signing, other []byte)

// Seal makes and checks addresses.
type Seal struct {
	keys    Keys
	refused func()
}

// New makes a seal. refused is called for each request with a missing or wrong HMAC.
func New(keys Keys, refused func()) *Seal { return &Seal{keys, refused} }

// Path is where the module of a digest is served.
func (s *Seal) Path(digest string) string {
	key, _ := s.keys()
	return prefix + mac(key, digest) + "/" + rest + digest + ".wasm"
}

// Handler passes requests for sealed paths on, as requests for modules.Path. All others are answered 404, in the words of one
// who has no such module.
func (s *Seal) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, digest, ok := parse(r.URL.Path)
		signing, other := s.keys()
		good := hmac.Equal([]byte(given), []byte(mac(signing, digest)))
		if other != nil && hmac.Equal([]byte(given), []byte(mac(other, digest))) {
			good = true
		}
		if !ok || !good {
			s.refused()
			http.Error(w, "no module here; the controller tells each proxy where its modules are", http.StatusNotFound)
			return
		}
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = modules.Path(digest), ""
		next.ServeHTTP(w, inner)
	})
}

// parse takes a path apart.
func parse(path string) (given, digest string, ok bool) {
	path, ok = strings.CutPrefix(path, prefix)
	given, path, ok2 := strings.Cut(path, "/")
	digest, ok3 := strings.CutPrefix(path, rest)
	digest, ok4 := strings.CutSuffix(digest, ".wasm")
	return given, digest, ok && ok2 && ok3 && ok4
}

func mac(key []byte, digest string) string {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(digest)) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:size])
}
