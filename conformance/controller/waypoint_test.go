//go:build faults

package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

const manyServices = 2000

func testManyServices(t *testing.T, w *world, r *replica, _ *audit) {
	w.ApplyYAML([]byte(`
apiVersion: v1
kind: Namespace
metadata: {name: many}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: many}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
`))
	start := time.Now()
	w.createServices("many", manyServices)
	t.Logf("%d Services created in %s", manyServices, time.Since(start).Round(time.Millisecond))

	waypoint := types.NamespacedName{Namespace: "many", Name: "waypoint"}
	slot := func(i int) string {
		return names.Slot(model.Scope{
			Gateway: waypoint, Port: 80,
			Service: model.ServiceKey{Kind: "Service", Namespace: "many", Name: serviceName(i)},
		}, model.PhaseUnspecified)
	}
	var slots []string
	for i := range manyServices {
		slots = append(slots, slot(i))
	}
	var mu sync.Mutex
	arrived := map[string]int{}
	p, err := fakeproxy.Start(context.Background(), fakeproxy.Config{
		Addr: r.config.XDS.Address, ID: "waypoint", Gateway: waypoint, Dial: r.dial(), Slots: slots, Lane: true,
		Types: []string{"type.googleapis.com/envoy.config.listener.v3.Listener", "type.googleapis.com/envoy.config.cluster.v3.Cluster"},
		Arrived: func(x fakeproxy.Resource) {
			mu.Lock()
			defer mu.Unlock()
			arrived[x.Name] += len(x.Body)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	w.eventually("the waypoint's proxy has all slots", func() (bool, string) {
		missing := 0
		for _, s := range slots {
			if p.Version(s) == "" {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d of %d are missing; %v", missing, manyServices, p.Err())
	})
	mu.Lock()
	clear(arrived)
	mu.Unlock()
	before := p.Version(slot(7))
	changed := time.Now()
	w.ApplyYAML([]byte(`
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: {name: one, namespace: many}
spec:
  targetRefs: [{group: "", kind: Service, name: ` + serviceName(7) + `}]
  lua: {inlineCode: "function envoy_on_response(h) h:headers():add('x-lua', 'here') end"}
`))
	e := &extv1.TrafficExtension{}
	w.eventually("the slot of the Service changes", func() (bool, string) {
		_ = w.Client().Get(context.Background(), types.NamespacedName{Namespace: "many", Name: "one"}, e) // for the message only
		return p.Version(slot(7)) != before, fmt.Sprintf("%s; %+v", before, e.Status)
	})
	t.Logf("the plugin was at the proxy %s after the call began", time.Since(changed).Round(time.Millisecond))
	w.wait(time.Minute, "the status says that it runs", func() (bool, string) {
		if err := w.Client().Get(context.Background(), types.NamespacedName{Namespace: "many", Name: "one"}, e); err != nil {
			return false, err.Error()
		}
		for _, c := range e.Status.Conditions {
			if c.Type == "Programmed" {
				return c.Status == "True", c.Message
			}
		}
		return false, "no Programmed"
	})
	mu.Lock()
	for name, bytes := range arrived {
		if name != slot(7) {
			t.Errorf("%d bytes came for %s", bytes, name)
		}
	}
	if arrived[slot(7)] == 0 {
		t.Error("nothing came for the Service itself")
	}
	mu.Unlock()

	restarted := time.Now()
	r.stop()
	again := w.start("again").ready()
	t.Logf("a controller is ready %s after its start, with %d Services of one waypoint", time.Since(restarted).Round(time.Millisecond), manyServices)
	if code := again.askFake(waypoint); code != 0 {
		t.Errorf("a proxy of the waypoint is answered %s", code)
	}
}

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

// createServices creates Services that are bound to the waypoint of their namespace, from several workers.
func (w *world) createServices(namespace string, n int) {
	w.t.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 8 {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || failed.Load() != nil {
					return
				}
				s := &corev1.Service{}
				s.Namespace, s.Name = namespace, serviceName(i)
				s.Labels = map[string]string{extv1.LabelUseWaypoint: "waypoint"}
				s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
				if err := w.Client().Create(context.Background(), s); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		w.t.Fatal(*err)
	}
}
