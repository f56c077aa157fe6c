//go:build faults

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// follow watches the plugin; the returned function ends that and gives what Programmed said, and how many versions of the
// object there were.
func (s *scene) follow() func() (said []string, versions int) {
	s.t.Helper()
	c, err := client.NewWithWatch(s.Config(), client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		s.t.Fatal(err)
	}
	events, err := c.Watch(context.Background(), &extv1.WasmPluginList{}, client.InNamespace(s.namespace))
	if err != nil {
		s.t.Fatal(err)
	}
	var said []string
	seen := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range events.ResultChan() {
			if p, ok := e.Object.(*extv1.WasmPlugin); ok {
				seen[p.ResourceVersion] = true
				if m := message(p, "Programmed"); !slices.Contains(said, m) {
					said = append(said, m)
				}
			}
		}
	}()
	end := sync.OnceFunc(func() { events.Stop(); <-done })
	s.t.Cleanup(end)
	return func() ([]string, int) {
		end()
		return said, len(seen) - 1
	}
}

func testCrashLoop(t *testing.T, w *world, r *replica, _ *audit) {
	s := w.scene("crash")
	s.guard("one")
	envoy := r.proxy("crash", s.gateway)
	s.guarded("one")
	s.programmed()
	followed := s.follow()
	for range 3 {
		envoy.Kill()
		s.status("says that the proxy is missing", func(p *extv1.WasmPlugin) bool {
			return is("Programmed", "False")(p) && strings.Contains(message(p, "Programmed"), "0/1 proxies run it; not connected: crash")
		})
		envoy = r.proxy("crash", s.gateway)
		s.programmed()
	}
	said, _ := followed()
	for _, m := range said {
		if !strings.Contains(m, "/1 proxies run it") {
			t.Errorf("Programmed said %q; the proxy vanished from the count", m)
		}
	}
}

func testScaling(t *testing.T, w *world, _ *replica, _ *audit) {
	s := w.scene("scaling")
	s.guard("one")
	s.status("says that there is no proxy", func(p *extv1.WasmPlugin) bool { return strings.Contains(message(p, "Programmed"), "no proxy") })
	s.ApplyYAML(fmt.Appendf(nil, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: gw, namespace: %s}
spec:
  replicas: 0
  selector: {matchLabels: {app: gw}}
  template:
    metadata: {labels: {app: gw, gateway.networking.k8s.io/gateway-name: gw}}
    spec: {containers: [{name: proxy, image: proxy.example/envoy:v1}], terminationGracePeriodSeconds: 0}
`, s.namespace))
	stop := s.kubelet()
	followed, start := s.follow(), time.Now()
	for range 3 {
		s.scale(15)
		s.scale(2)
	}
	s.scale(15)
	s.status("counts 15", func(p *extv1.WasmPlugin) bool {
		return strings.HasPrefix(message(p, "Programmed"), "0/15 proxies run it")
	})
	stop()
	took := time.Since(start)
	said, writes := followed()
	t.Logf("%d writes in %s while some 100 Pods came and went: %q", writes, took.Round(time.Millisecond), said)
	// At the latest a second after a change it is written, and not more often.
	if most := int(took.Seconds()) + 3; writes > most {
		t.Errorf("%d writes of the status, want at most %d", writes, most)
	}
}

// scale sets the number of Pods and waits until so many are ready.
func (s *scene) scale(n int32) {
	s.t.Helper()
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = s.namespace, "gw"
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n))
	if err := s.Client().Patch(context.Background(), d, patch); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(fmt.Sprintf("%d Pods are ready", n), func() (bool, string) {
		pods := &corev1.PodList{}
		if err := s.Client().List(context.Background(), pods, client.InNamespace(s.namespace)); err != nil {
			return false, err.Error()
		}
		ready := 0
		for i := range pods.Items {
			if podReady(&pods.Items[i]) {
				ready++
			}
		}
		return ready == int(n) && len(pods.Items) == int(n), fmt.Sprintf("%d of %d", ready, len(pods.Items))
	})
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
}

// kubelet makes every Pod of the namespace ready until it is stopped.
func (s *scene) kubelet() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			pods := &corev1.PodList{}
			_ = s.Client().List(ctx, pods, client.InNamespace(s.namespace)) // tried again with the next tick
			for i := range pods.Items {
				p := &pods.Items[i]
				if podReady(p) || p.DeletionTimestamp != nil {
					continue
				}
				p.Status.Phase = corev1.PodRunning
				p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
				_ = s.Client().Status().Update(ctx, p)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	end := sync.OnceFunc(func() { cancel(); <-done })
	s.t.Cleanup(end)
	return end
}
