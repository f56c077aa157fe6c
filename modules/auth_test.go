package modules_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

// guarded makes the registry ask for user "u" and password "s3cret".
func guarded(s *rt.Server) {
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, _ := r.BasicAuth(); u == "u" && p == "s3cret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"you sent ` + r.Header.Get("Authorization") + ` s3cret"}]}`))
		return true
	})
}

func TestOnlyWhoMayPullGetsAModuleThatIsHere(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("private")
	s.Push("a", "1", rt.PluginImage(mod))
	guarded(s)
	var logs lockedBuffer
	m := start(t, modules.Options{Clock: newClock(), Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	url := s.Host + "/a:1"
	m.Want("owner", modules.Source{URL: url, DockerConfig: dockerConfig(s.Host, "u", "s3cret")})
	m.await("owner", has(rt.Hex(mod)))
	m.Want("thief", modules.Source{URL: url})
	m.Want("wrong", modules.Source{URL: url, DockerConfig: dockerConfig(s.Host, "u", "wrong-pw")})
	m.Want("elsewhere", modules.Source{URL: url, SHA256: rt.Hex(mod), DockerConfig: dockerConfig("other.example", "u", "s3cret")})
	for owner, text := range map[string]string{
		"thief":     "if the image is private, set imagePullSecret to a Secret of type kubernetes.io/dockerconfigjson with an entry for " + s.Host,
		"wrong":     "correct the entry for " + s.Host + " in the pull secret",
		"elsewhere": "the pull secret has no entry for " + s.Host + "; add one",
	} {
		got := m.await(owner, failedTimes(1))
		if got.Ready || got.Reason != ext.ReasonPullDenied || !strings.Contains(got.Err, text) || strings.Contains(got.Err, "wrong-pw") {
			t.Errorf("%s: %+v", owner, got)
		}
	}
	// The secret is corrected: tried at once. A rotated secret keeps the module in force.
	m.Want("thief", modules.Source{URL: url, DockerConfig: dockerConfig(s.Host, "u", "s3cret")})
	if got := m.State("thief"); !got.Ready {
		t.Errorf("proven for this account already: %+v", got)
	}
	if got := m.Want("owner", modules.Source{URL: url, DockerConfig: dockerConfig(s.Host, "u", "wrong-pw")}); !got.Ready {
		t.Errorf("a changed secret takes the module away before it is known to be wrong: %+v", got)
	}
	if got := m.await("owner", failedTimes(1)); got.Ready || got.Reason != ext.ReasonPullDenied {
		t.Errorf("%+v", got)
	}
	if n := s.Count("GET", "/blobs/"); n != 1 {
		t.Errorf("%d downloads", n)
	}
	if text := logs.String(); strings.Contains(text, "wrong-pw") || strings.Contains(text, "Basic ") && strings.Contains(text, "s3cret") && strings.Contains(text, "dTpz") {
		t.Errorf("the log holds credentials: %s", text)
	}
}

func TestARedirectToAnotherHostCarriesNoCredentials(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("x")
	layer := rt.PluginLayer(rt.OCILayer, mod)
	s.Push("a", "1", rt.Image{Layers: []rt.Layer{layer}})
	var seen atomic.Value
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Authorization") + r.Header.Get("Cookie"))
		w.Write(layer.Data)
	}))
	defer cdn.Close()
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if _, p, _ := r.BasicAuth(); p != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, cdn.URL+"/blob?signature=abc", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	m := start(t, modules.Options{})
	m.Want("o", modules.Source{URL: s.Host + "/a:1", DockerConfig: dockerConfig(s.Host, "u", "s3cret")})
	m.await("o", has(rt.Hex(mod)))
	if got := seen.Load(); got != "" {
		t.Errorf("the other host saw %q", got)
	}
}

func TestAFailureOfOneAccountIsNotAFailureOfAnother(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("x")
	s.Push("a", "1", rt.PluginImage(mod))
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		// Everybody may read the manifest, but only "u" the blob.
		if u, _, _ := r.BasicAuth(); u != "u" && strings.Contains(r.URL.Path, "/blobs/") {
			w.WriteHeader(http.StatusForbidden)
			return true
		} else if u == "" && r.URL.Path == "/v2/" {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	m := start(t, modules.Options{})
	for range 5 {
		m.Want("no", modules.Source{URL: s.Host + "/a:1"})
		m.Want("yes", modules.Source{URL: s.Host + "/a:1", DockerConfig: dockerConfig(s.Host, "u", "p")})
	}
	m.await("yes", has(rt.Hex(mod)))
}

func TestPlainHTTPIsOnlyForHostsThatAllowIt(t *testing.T) {
	s := rt.Start(t)
	s.Push("a", "1", rt.PluginImage(wasmtest.Plugin("x")))
	m := start(t, modules.Options{PlainHTTP: func(string) bool { return false }, Clock: newClock()})
	m.Want("o", modules.Source{URL: s.Host + "/a:1", DockerConfig: dockerConfig(s.Host, "u", "s3cret")})
	if got := m.await("o", failedTimes(1)); got.Ready {
		t.Errorf("%+v", got)
	}
	if n := s.Count("GET", ""); n != 0 {
		t.Errorf("%d plain requests", n)
	}
}

func TestATokenServerIsAskedWithTheAccountAndTheRegistryWithTheToken(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("x")
	s.Push("team/a", "1", rt.PluginImage(mod))
	s.Hook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if u, p, _ := r.BasicAuth(); u != "u" || p != "s3cret" || r.URL.Query().Get("scope") != "repository:team/a:pull" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			_, _ = w.Write([]byte(`{"token":"t0ken"}`))
			return true
		}
		if r.Header.Get("Authorization") == "Bearer t0ken" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+s.Host+`/token",service="r"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	m := start(t, modules.Options{Clock: newClock()})
	m.Want("yes", modules.Source{URL: s.Host + "/team/a:1", DockerConfig: dockerConfig(s.Host+"/team", "u", "s3cret")})
	m.await("yes", has(rt.Hex(mod)))
	m.Want("no", modules.Source{URL: s.Host + "/team/a:1", DockerConfig: dockerConfig(s.Host, "u", "wrong-pw")})
	if got := m.await("no", failedTimes(1)); got.Reason != ext.ReasonPullDenied || strings.Contains(got.Err, "wrong-pw") {
		t.Errorf("%+v", got)
	}
}
