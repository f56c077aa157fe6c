package seal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/modules"
)

var digest = strings.Repeat("ab", 32)

func TestOnlyAnAddressThatTheControllerGaveOutLeadsToAModule(t *testing.T) {
	current, former := []byte("new"), []byte("old")
	refused := 0
	s := New(func() ([]byte, []byte) { return current, former }, func() { refused++ })
	var asked string
	handler := s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path + "?" + r.URL.RawQuery }))
	get := func(path string) int {
		asked = ""
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	old := New(func() ([]byte, []byte) { return former, nil }, nil).Path(digest)
	for _, path := range []string{s.Path(digest), old} {
		if code := get(path + "?proxy=1"); code != http.StatusOK || asked != modules.Path(digest)+"?proxy=1" {
			t.Errorf("%s: %d, asked for %q", path, code, asked)
		}
	}
	if refused != 0 || s.Path(digest) == old || s.Path(digest) == s.Path(strings.Repeat("cd", 32)) {
		t.Errorf("%d refused; %s", refused, s.Path(digest))
	}
	other := s.Path(strings.Repeat("cd", 32))
	bad := []string{
		modules.Path(digest), "/", "/modules/", "/modules//sha256/" + digest + ".wasm",
		strings.Replace(other, strings.Repeat("cd", 32), digest, 1), strings.TrimSuffix(s.Path(digest), ".wasm"), "/x" + s.Path(digest),
		New(func() ([]byte, []byte) { return []byte("nobody's"), nil }, nil).Path(digest),
		// Without a former key an empty one is none.
		New(func() ([]byte, []byte) { return nil, nil }, nil).Path(digest),
	}
	for _, path := range bad {
		if code := get(path); code != http.StatusNotFound || asked != "" {
			t.Errorf("%s: %d, asked for %q", path, code, asked)
		}
	}
	former = nil
	if code := get(bad[len(bad)-1]); code != http.StatusNotFound || get(old) != http.StatusNotFound {
		t.Errorf("the empty key opens: %d", code)
	}
	if refused != len(bad)+2 {
		t.Errorf("%d refused, want %d", refused, len(bad)+2)
	}
}
