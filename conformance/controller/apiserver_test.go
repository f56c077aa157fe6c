//go:build faults

package controller

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// TestFaultsOfTheAPIServer has two replicas; the second one, which follows, reaches the API server through a link.
func TestFaultsOfTheAPIServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t).replicas("a", "b")
	w.start("a").ready()
	w.logged("this replica leads")
	link := w.Link()
	b := w.start("b", through(link)).ready()

	t.Run("a restart of the API server under load changes no answer, and changes made after it arrive", func(t *testing.T) {
		s := w.in(t).scene("restart")
		s.guard("one")
		b.in(t).proxy("restart", s.gateway)
		s.guarded("one")
		s.programmed()
		l := s.load("one")
		w.StopAPIServer()
		if err := w.Client().List(t.Context(), &extv1.WasmPluginList{}); err == nil {
			t.Error("the API server answers although it is stopped")
		}
		w.StartAPIServer()
		zeroFailures(t, l)
		s.guard("two")
		s.guarded("two")
		s.becomes("one", denied)
		s.programmed()
	})
	t.Run("what was deleted while a watch was cut off and expired is gone after the relist", func(t *testing.T) {
		s := w.in(t).scene("expired")
		s.guard("one")
		b.in(t).proxy("expired", s.gateway)
		s.guarded("one")
		before := s.programmed().ResourceVersion
		link.Cut()
		s.removeGuard()
		w.CompactEtcd()
		w.StopAPIServer() // it has some history in memory
		w.StartAPIServer()
		if err := watchFrom(w, before); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			t.Fatalf("a watch from version %s ended with %v, want 410 Gone", before, err)
		}
		if code := s.ask(""); code != denied {
			t.Errorf("while the replica is cut off, the proxy answers %d, want %d", code, denied)
		}
		link.Restore()
		s.wait(time.Minute, "the deleted plugin is off", func() (bool, string) {
			code := s.ask("")
			return code == passed, fmt.Sprint(code)
		})
		b.in(t).waitReady(time.Minute)
	})
	t.Run("while etcd hangs, what is known is pushed and no request fails; afterwards the leader leads and writes again", func(t *testing.T) {
		s := w.in(t).scene("slow")
		s.guard("one")
		b.in(t).proxy("slow", s.gateway)
		s.guarded("one")
		s.programmed()
		other := w.in(t).scene("slow-fetch")
		b.in(t).proxy("slow-fetch", other.gateway)
		other.becomes("", passed)
		// The module comes while etcd hangs.
		arrive, asked := make(chan struct{}), make(chan struct{}, 100)
		w.registry.Push("slow", "1", registrytest.PluginImage(wasmtest.BasicAuth(t)))
		w.registry.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/slow/") {
				asked <- struct{}{}
				select {
				case <-arrive:
				case <-r.Context().Done():
				}
			}
			return false
		})
		t.Cleanup(func() { w.registry.Hook(nil) })
		other.ApplyYAML([]byte(other.guardYAML("oci://"+w.registry.Host+"/slow:1", "one", "")))
		for range 2 { // both replicas
			<-asked
		}
		l := s.load("one")
		mark := len(w.log.String())
		w.PauseEtcd()
		close(arrive)
		other.guarded("one")
		w.loggedSince(mark, "this replica does not lead any more")
		w.ResumeEtcd()
		zeroFailures(t, l)
		w.loggedSince(mark, "this replica leads")
		other.programmed()
		s.guard("two")
		s.guarded("two")
		s.programmed()
	})
}

// watchFrom watches WasmPlugins from a version and gives the error with which that ends, nil when it goes on.
func watchFrom(w *world, version string) error {
	c, err := client.NewWithWatch(w.Config(), client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	events, err := c.Watch(ctx, &extv1.WasmPluginList{}, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})
	if err != nil {
		return err
	}
	defer events.Stop()
	for e := range events.ResultChan() {
		if err := apierrors.FromObject(e.Object); e.Type == "ERROR" {
			return err
		}
	}
	return nil
}
