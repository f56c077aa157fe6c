//go:build faults

package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// quiet checks at the end of a part that the log got no more complaints than that. What the libraries say is from all tests
// that run at the same time: only what names this cluster's address counts.
func quiet(t *testing.T, w *world, most int) {
	t.Helper()
	ours, theirs := len(w.log.String()), len(libraries.String())
	t.Cleanup(func() {
		got := complaints(w.log, ours)
		for _, line := range complaints(libraries, theirs) {
			if strings.Contains(line, strings.TrimPrefix(w.Config().Host, "https://")) {
				got = append(got, line)
			}
		}
		if len(got) > most {
			t.Errorf("the log complains %d times, want at most %d:\n%s", len(got), most, strings.Join(got, "\n"))
		}
	})
}

// toNobody are writes to an object that is gone.
func toNobody(a write) bool { return a.Response.Code == http.StatusNotFound }

func testDeletedWhileFetching(t *testing.T, w *world, r *replica, audits *audit) {
	s := w.scene("fetching")
	r.proxy("fetching", s.gateway)
	s.becomes("", passed)
	quiet(t, w, 0)
	start := time.Now()
	asked, gaveUp := make(chan struct{}, 100), make(chan struct{}, 100)
	w.registry.Push("never", "1", registrytest.PluginImage(wasmtest.BasicAuth(t)))
	w.registry.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/never/blobs/") {
			return false
		}
		asked <- struct{}{}
		<-r.Context().Done()
		gaveUp <- struct{}{}
		return true
	})
	t.Cleanup(func() { w.registry.Hook(nil) })
	s.ApplyYAML([]byte(s.guardYAML("oci://"+w.registry.Host+"/never:1", "one", "")))
	<-asked
	s.status("says that it is fetched", is("ResolvedRefs", "False"))
	s.removeGuard()
	for _, what := range []chan struct{}{gaveUp} {
		select {
		case <-what:
		case <-time.After(soon):
			t.Error("the fetch goes on although nobody wants the module")
		}
	}
	s.eventually("the replica knows no plugin of the namespace", func() (bool, string) {
		_, body := get("http://" + r.config.Admin.Address + "/status")
		return !strings.Contains(body, "fetching/guard"), body
	})
	s.becomes("", passed)
	s.eventually("no file is left of the fetch", func() (bool, string) {
		got := partial(t, r.config.DataDir)
		return len(got) == 0, fmt.Sprint(got)
	})
	s.leaseMoves(2) // the time in which a late write would come
	if got := audits.writes(start, toNobody); len(got) > 0 {
		t.Errorf("writes to an object that is gone: %+v", got)
	}
	// The same name again works as if nothing had been.
	w.registry.Hook(nil)
	s.ApplyYAML([]byte(s.guardYAML("oci://"+w.registry.Host+"/never:1", "one", "")))
	s.guarded("one")
	s.programmed()
}

// partial are the files of a data folder that are no complete module.
func partial(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // was just removed
		}
		if err == nil && !d.IsDir() && (strings.Contains(d.Name(), "tmp") || strings.HasPrefix(d.Name(), ".")) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testGatewayComesAgain(t *testing.T, w *world, r *replica, _ *audit) {
	s := w.scene("again")
	s.guard("one")
	envoy := r.proxy("again", s.gateway)
	s.guarded("one")
	s.programmed()
	quiet(t, w, 0)
	s.removeGateway()
	s.becomes("one", 0)
	s.status("says that the target is gone", func(p *extv1.WasmPlugin) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == "Accepted" {
				return string(c.Status) == "False" && c.Reason == extv1.ReasonTargetNotFound
			}
		}
		return false
	})
	s.createGateway()
	s.guarded("one")
	if p := s.programmed(); message(p, "Programmed") != "1/1 proxies run it" {
		t.Errorf("Programmed says %q", message(p, "Programmed"))
	}
	if !envoy.Running() {
		t.Error("the proxy ended")
	}
}

func testNamespaceEnds(t *testing.T, w *world, r *replica, audits *audit) {
	s := w.scene("ending")
	s.guard("one")
	r.proxy("ending", s.gateway)
	s.guarded("one")
	s.programmed()
	quiet(t, w, 3)
	start := time.Now()
	// A finalizer of somebody else keeps the plugin for a while: it must not be written to for ever.
	kept := &extv1.WasmPlugin{}
	if err := w.Client().Get(context.Background(), s.key(), kept); err != nil {
		t.Fatal(err)
	}
	kept.Finalizers = []string{"other.example/keep"}
	if err := w.Client().Update(context.Background(), kept); err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{}
	ns.Name = "ending"
	if err := w.Client().Delete(context.Background(), ns); err != nil {
		t.Fatal(err)
	}
	s.becomes("one", 0)
	s.status("is being deleted", func(p *extv1.WasmPlugin) bool { return p.DeletionTimestamp != nil })
	s.leaseMoves(2)
	if got := audits.writes(start, func(x write) bool { return x.ObjectRef.Namespace == "ending" }); len(got) > 10 {
		t.Errorf("%d writes in a namespace that ends: %+v", len(got), got)
	}
	if err := w.Client().Get(context.Background(), s.key(), kept); err != nil {
		t.Fatal(err)
	}
	kept.Finalizers = nil
	if err := w.Client().Update(context.Background(), kept); err != nil {
		t.Fatal(err)
	}
	w.wait(time.Minute, "the namespace is gone", func() (bool, string) {
		err := w.Client().Get(context.Background(), client.ObjectKeyFromObject(ns), ns)
		return apierrors.IsNotFound(err), fmt.Sprint(err, ns.Status)
	})
	s.eventually("the replica knows no plugin of the namespace", func() (bool, string) {
		_, body := get("http://" + r.config.Admin.Address + "/status")
		return !strings.Contains(body, "ending/guard"), body
	})
}
