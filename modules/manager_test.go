package modules_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules"
	rt "github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/modules/wasmtest"
)

func TestWantAnswersAtOnceWhileTheRegistryIsSlow(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.Plugin("slow")
	s.Push("a", "1", rt.PluginImage(mod))
	hold := make(chan struct{})
	s.Hook(func(http.ResponseWriter, *http.Request) bool { <-hold; return false })
	m := start(t, modules.Options{})
	src := modules.Source{URL: s.Host + "/a:1"}
	if got := m.Want("o", src); got.Ready || got.Reason != ext.ReasonFetching {
		t.Errorf("%+v", got)
	}
	close(hold)
	m.await("o", ready)
	if got := m.Want("o2", src); !got.Ready {
		t.Errorf("a second owner of the same source is not ready at once: %+v", got)
	}
}

func TestAHundredOwnersCauseOneDownload(t *testing.T) {
	s, mod := rt.Start(t), wasmtest.PluginSized("once", 50_000)
	s.Push("a", "1", rt.PluginImage(mod))
	digest := s.Push("a", "2", rt.PluginImage(mod))
	m := start(t, modules.Options{})
	var wg sync.WaitGroup
	name := func(i int) string { return fmt.Sprint("owner-", i) }
	for i := range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			src := modules.Source{URL: s.Host + "/a:1"}
			switch i % 3 {
			case 1: // another tag of the same manifest
				src.URL = s.Host + "/a:2"
			case 2:
				src.SHA256 = digest[7:]
			}
			m.Want(name(i), src)
		}()
	}
	wg.Wait()
	for i := range 100 {
		m.await(name(i), has(rt.Hex(mod)))
	}
	if n := s.Count("GET", "/blobs/"); n != 1 {
		t.Errorf("%d blobs were downloaded", n)
	}
	if n := s.Count("GET", "/manifests/"); n > 3 {
		t.Errorf("%d manifests were read for 3 sources", n)
	}
	before := s.Count("GET", "")
	for i := range 100 {
		m.Want(name(i), modules.Source{URL: s.Host + "/a:1", Generation: int64(i)})
	}
	if n := s.Count("GET", "") - before; n != 0 {
		t.Errorf("%d requests for sources that are known", n)
	}
}

func TestARestartWithADeadRegistryHasEverythingAtOnce(t *testing.T) {
	s, dir := rt.Start(t), t.TempDir()
	m := start(t, modules.Options{Dir: dir})
	secret := dockerConfig(s.Host, "u", "p")
	for i := range 5 {
		s.Push("a", fmt.Sprint(i), rt.PluginImage(wasmtest.Plugin(fmt.Sprint(i))))
		m.Want(fmt.Sprint(i), modules.Source{URL: fmt.Sprint(s.Host, "/a:", i), DockerConfig: secret, Generation: 3})
	}
	s.Push("a", "latest", rt.PluginImage(wasmtest.Plugin("latest")))
	m.Want("latest", modules.Source{URL: s.Host + "/a", Generation: 7})
	before := map[string]modules.State{"latest": m.await("latest", ready)}
	for i := range 5 {
		before[fmt.Sprint(i)] = m.await(fmt.Sprint(i), ready)
	}
	m.Close()
	s.Kill()
	m = start(t, modules.Options{Dir: dir})
	for i := range 5 {
		got := m.Want(fmt.Sprint(i), modules.Source{URL: fmt.Sprint(s.Host, "/a:", i), DockerConfig: secret, Generation: 9})
		if old := before[fmt.Sprint(i)]; !got.Ready || got.Digest != old.Digest || got.ResolvedDigest != old.ResolvedDigest || got.Size != old.Size || got.ABI != old.ABI || got.Err != "" {
			t.Errorf("%+v", got)
		}
	}
	if got := m.Want("latest", modules.Source{URL: s.Host + "/a", Generation: 7}); !got.Ready {
		t.Errorf("Always, same generation: %+v", got)
	}
	// Other credentials were never proven for this source.
	if got := m.Want("thief", modules.Source{URL: s.Host + "/a:1"}); got.Ready {
		t.Error("a module was given to an owner who never proved that it may have it")
	}
	// The index says nothing about the account.
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil || strings.Contains(string(raw), "dTpw") || !json.Valid(raw) {
		t.Errorf("index: %v %s", err, raw)
	}
}

func TestADamagedIndexOrStoreIsHealedFromTheRegistry(t *testing.T) {
	s, dir, mod := rt.Start(t), t.TempDir(), wasmtest.Plugin("heal")
	s.Push("a", "1", rt.PluginImage(mod))
	src := modules.Source{URL: s.Host + "/a:1"}
	m := start(t, modules.Options{Dir: dir})
	m.Want("o", src)
	m.await("o", ready)
	m.Close()
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"version":1,"sou`), 0o600); err != nil {
		t.Fatal(err)
	}
	m = start(t, modules.Options{Dir: dir})
	m.Want("o", src)
	m.await("o", ready)
	m.Close()
	file := filepath.Join(dir, "sha256", rt.Hex(mod)+".wasm")
	if err := os.WriteFile(file, make([]byte, len(mod)), 0o644); err != nil {
		t.Fatal(err)
	}
	before := s.Count("GET", "/blobs/")
	m = start(t, modules.Options{Dir: dir})
	m.Want("o", src)
	until(t, "the module is downloaded again", func() bool { return s.Count("GET", "/blobs/") == before+1 })
	m.await("o", ready)
	if f, _, err := m.Open(rt.Hex(mod)); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestAlwaysLooksAgainWithEachGenerationAndKeepsWhatItHas(t *testing.T) {
	s, one, two, bad := rt.Start(t), wasmtest.Plugin("one"), wasmtest.Plugin("two"), wasmtest.Assemble()
	s.Push("a", "1", rt.PluginImage(one))
	clock := newClock()
	m := start(t, modules.Options{Clock: clock})
	src := func(gen int64) modules.Source {
		return modules.Source{URL: s.Host + "/a:1", PullPolicy: "Always", Generation: gen}
	}
	once := modules.Source{URL: s.Host + "/a:1", PullPolicy: "IfNotPresent", Generation: 1}
	m.Want("o", src(1))
	m.await("o", has(rt.Hex(one)))
	m.Want("once", once)
	m.await("once", has(rt.Hex(one)))
	s.Push("a", "1", rt.PluginImage(two))
	if got := m.Want("o", src(1)); got.Digest != rt.Hex(one) {
		t.Errorf("an equal source moved: %+v", got)
	}
	if got := m.Want("o", src(2)); !got.Ready {
		t.Errorf("not ready while looking again: %+v", got)
	}
	m.await("o", has(rt.Hex(two)))
	// The tag moves to something broken: the last good one stays, the error shows.
	s.Push("a", "1", rt.PluginImage(bad))
	m.Want("o", src(3))
	got := m.await("o", func(s modules.State) bool { return s.Err != "" })
	if !got.Ready || got.Digest != rt.Hex(two) || got.Reason != ext.ReasonResolvedRefs {
		t.Errorf("%+v", got)
	}
	s.Kill()
	if got := m.Want("o", src(4)); !got.Ready || got.Digest != rt.Hex(two) {
		t.Errorf("%+v", got)
	}
	got = m.await("o", func(s modules.State) bool { return strings.Contains(s.Err, "refused") })
	if !got.Ready || got.Digest != rt.Hex(two) || got.Attempts == 0 || !got.NextTry.After(clock.Now()) {
		t.Errorf("%+v", got)
	}
	// A new owner gets the newest that is known, once it is clear that the registry does not answer.
	m.Want("new", src(1))
	if got := m.await("new", ready); got.Digest != rt.Hex(two) || got.Err == "" {
		t.Errorf("%+v", got)
	}
	if got := m.State("once"); got.Digest != rt.Hex(one) {
		t.Errorf("IfNotPresent moved: %+v", got)
	}
}

func TestALocalFileIsReadAgainWithEachGenerationAndOnRefresh(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.wasm")
	write := func(salt string) string {
		mod := wasmtest.Plugin(salt)
		if err := os.WriteFile(file, mod, 0o644); err != nil {
			t.Fatal(err)
		}
		return rt.Hex(mod)
	}
	one := write("one")
	m := start(t, modules.Options{})
	m.Want("o", modules.Source{URL: "file://./p.wasm", BaseDir: dir, Generation: 1})
	m.await("o", has(one))
	two := write("two")
	m.Want("o", modules.Source{URL: "file://./p.wasm", BaseDir: dir, Generation: 2})
	m.await("o", has(two))
	three := write("three")
	m.Refresh("o")
	m.await("o", has(three))
	os.Remove(file)
	m.Refresh("o")
	if got := m.await("o", func(s modules.State) bool { return s.Err != "" }); got.Digest != three {
		t.Errorf("%+v", got)
	}
}

func TestReleaseEndsTheWork(t *testing.T) {
	s := rt.Start(t)
	gone := make(chan struct{})
	s.Hook(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); close(gone); return true })
	m := start(t, modules.Options{})
	m.Want("o", modules.Source{URL: s.Host + "/a:1"})
	until(t, "a request arrives", func() bool { return s.Count("GET", "") > 0 })
	m.Release("o")
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on")
	}
	if got := m.State("o"); got != (modules.State{}) {
		t.Errorf("%+v", got)
	}
}

func dockerConfig(host, user, password string) []byte {
	return []byte(fmt.Sprintf(`{"auths":{%q:{"username":%q,"password":%q}}}`, host, user, password))
}
