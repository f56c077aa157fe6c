package modules_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

func TestModulesAreServedCompletelyByDigest(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.PluginSized("serve", 12_000_000)
	s.Push("a", "1", rt.Image{Layers: []rt.Layer{{MediaType: "application/wasm", Data: mod}}})
	m := start(t, modules.Options{})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	digest := m.await("o", ready).Digest
	type served struct {
		digest, proxy string
		complete      bool
	}
	done := make(chan served, 10)
	m.OnServed(func(d string, q url.Values, complete bool) { done <- served{d, q.Get("proxy"), complete} })
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	get := func(method, path string, header ...string) (*http.Response, []byte) {
		req, _ := http.NewRequest(method, srv.URL+path, nil)
		if len(header) == 2 {
			req.Header.Set(header[0], header[1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, body
	}
	resp, body := get(http.MethodGet, modules.Path(digest)+"?proxy=p1&attempt=2")
	if !bytes.Equal(body, mod) || resp.ContentLength != int64(len(mod)) || resp.Header.Get("Content-Type") != "application/wasm" || resp.Header.Get("ETag") != `"`+digest+`"` {
		t.Errorf("%d bytes, %v", len(body), resp.Header)
	}
	if got := <-done; got != (served{digest, "p1", true}) {
		t.Errorf("%+v", got)
	}
	if resp, body := get(http.MethodHead, modules.Path(digest)); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(mod)) || len(body) != 0 {
		t.Errorf("HEAD: %v", resp)
	}
	if resp, _ := get(http.MethodGet, modules.Path(digest), "If-None-Match", `"`+digest+`"`); resp.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match: %s", resp.Status)
	}
	if resp, _ := get(http.MethodPost, modules.Path(digest)); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
	for _, path := range []string{modules.Path(strings.Repeat("0", 64)), modules.Path("../../key"), modules.Path("%2e%2e%2f%2e%2e%2fkey"), "/modules/sha256/" + digest, "/", "/index.json"} {
		if resp, body := get(http.MethodGet, path); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "module") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	// A client that goes away in the middle has not been served.
	req, _ := http.NewRequest(http.MethodGet, srv.URL+modules.Path(digest)+"?proxy=p2", nil)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := <-done; got != (served{digest, "p2", false}) {
		t.Errorf("%+v", got)
	}
}

func TestADamagedFileIsNotServedAndFetchedAgain(t *testing.T) {
	s, dir, mod := rt.Start(t), t.TempDir(), wasmtest.Plugin("x")
	s.Push("a", "1", rt.PluginImage(mod))
	m := start(t, modules.Options{Dir: dir})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	digest := m.await("o", ready).Digest
	m.Close()
	if err := os.WriteFile(filepath.Join(dir, "sha256", digest+".wasm"), bytes.Repeat([]byte{1}, len(mod)), 0o644); err != nil {
		t.Fatal(err)
	}
	m = start(t, modules.Options{Dir: dir})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	for range 3 {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, modules.Path(digest), nil))
		if w.Code == http.StatusOK && !bytes.Equal(w.Body.Bytes(), mod) {
			t.Fatal("damaged bytes were served")
		}
		m.await("o", ready)
	}
}

func TestUsedModulesStayAndUnusedOnesGoAfterTheGracePeriod(t *testing.T) {
	s, clock, dir := rt.Start(t), newClock(), t.TempDir()
	m := start(t, modules.Options{Clock: clock, Dir: dir, GCGrace: time.Hour, GCInterval: time.Minute})
	digest := map[string]string{}
	for _, name := range []string{"used", "pinned", "unused"} {
		s.Push("a", name, rt.PluginImage(wasmtest.Plugin(name)))
		m.Want(name, modules.Source{URL: s.Host + "/a:" + name})
		digest[name] = m.await(name, ready).Digest
	}
	m.Release("unused")
	m.Release("pinned")
	tick := func(n int) {
		for range n {
			before := clock.planned()
			clock.advance(time.Minute)
			until(t, "the next collection is planned", func() bool { return clock.planned() > before })
		}
	}
	tick(200)
	if !m.Has(digest["unused"]) {
		t.Error("something was deleted before it was known what is in use")
	}
	m.Pin([]string{digest["pinned"]})
	tick(30)
	if !m.Has(digest["unused"]) {
		t.Error("deleted before the grace period was over")
	}
	tick(40)
	until(t, "the unused module is deleted", func() bool {
		_, err := os.Stat(filepath.Join(dir, "sha256", digest["unused"]+".wasm"))
		return os.IsNotExist(err)
	})
	if !m.Has(digest["used"]) || !m.Has(digest["pinned"]) {
		t.Error("a module in use was deleted")
	}
	// It comes back when wanted again.
	m.Want("unused", modules.Source{URL: s.Host + "/a:unused"})
	m.await("unused", has(digest["unused"]))
}
