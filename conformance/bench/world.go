package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

const (
	// namespace holds everything; own is the controller's.
	namespace = "bench"
	own       = "wasmpoint-system"
	// configSize is the size of every plugin's configuration in bytes.
	configSize = 600
	// workers create objects side by side.
	workers = 8
	// servicesOfWaypoint is how many Services share the waypoint.
	servicesOfWaypoint = 500
)

// size is how much there is.
type size struct{ plugins, gateways, services int }

func (s size) String() string {
	return fmt.Sprintf("%d plugins, %d Gateways, %d Services", s.plugins, s.gateways, s.services)
}

// world is a real API server full of objects. The plugins "ours" and "floor" each have a Gateway of the same name for
// themselves, whose proxies are measured; all others are spread over the other Gateways.
type world struct {
	*cluster.Cluster
	h    *host
	size size
	url  string // of the one module of all plugins
	// marks counts the changes: a patch that changes nothing is no change.
	marks atomic.Int64
}

func newWorld(h *host, s size) *world {
	registry := registrytest.Start(h)
	registry.Push("marker", "1", registrytest.PluginImage(wasmtest.Marker(h)))
	w := &world{Cluster: cluster.Start(h), h: h, size: s, url: "oci://" + registry.Host + "/marker:1"}
	h.check(w.create(object("v1", "Namespace", own, nil), object("v1", "Namespace", namespace, nil)))
	files, err := filepath.Glob("manifests/rbac/*.yaml")
	h.check(err)
	for _, f := range append(files, "manifests/deploy/controller/gatewayclasses.yaml") {
		if filepath.Base(f) == "kustomization.yaml" {
			continue
		}
		raw, err := os.ReadFile(f)
		h.check(err)
		w.ApplyYAML(raw)
	}
	begin := time.Now()
	all := []*unstructured.Unstructured{w.gateway("ours"), w.gateway("floor"), w.plugin("ours", gatewayTarget("ours")), w.plugin("floor", gatewayTarget("floor"))}
	for i := range s.gateways - 2 {
		all = append(all, w.gateway(fmt.Sprintf("gateway-%d", i)))
	}
	for i := range s.plugins - 2 {
		all = append(all, w.plugin(other(i), gatewayTarget(fmt.Sprintf("gateway-%d", i%(s.gateways-2)))))
	}
	for i := range s.services {
		all = append(all, service(fmt.Sprintf("service-%d", i), nil))
	}
	h.check(w.create(all...))
	progress("created %s in %s", s, time.Since(begin).Round(100*time.Millisecond))
	return w
}

// other is the name of a plugin that no measured proxy runs.
func other(i int) string { return fmt.Sprintf("other-%d", i) }

// addWaypoint makes a waypoint with its Services, a plugin of all of them, "wide", and one of the first, "urgent".
func (w *world) addWaypoint() {
	waypoint := object("gateway.networking.k8s.io/v1", "Gateway", "waypoint", map[string]any{
		"gatewayClassName": "wasmpoint-waypoint",
		"listeners":        []any{map[string]any{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}},
	})
	waypoint.SetNamespace(namespace)
	all := []*unstructured.Unstructured{
		waypoint, w.plugin("wide", gatewayTarget("waypoint")),
		w.plugin("urgent", map[string]any{"group": "", "kind": "Service", "name": meshService(0)}),
	}
	for i := range servicesOfWaypoint {
		all = append(all, service(meshService(i), map[string]string{"istio.io/use-waypoint": "waypoint"}))
	}
	w.h.check(w.create(all...))
}

func meshService(i int) string { return fmt.Sprintf("mesh-%d", i) }

func (w *world) gateway(name string) *unstructured.Unstructured {
	u := object("gateway.networking.k8s.io/v1", "Gateway", name, map[string]any{
		"gatewayClassName": "wasmpoint",
		"listeners":        []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
	})
	u.SetNamespace(namespace)
	return u
}

func gatewayTarget(name string) map[string]any {
	return map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
}

func (w *world) plugin(name string, target map[string]any) *unstructured.Unstructured {
	u := object("extensions.istio.io/v1alpha1", "WasmPlugin", name, map[string]any{
		"url": w.url, "phase": "AUTHN", "targetRefs": []any{target}, "pluginConfig": configuration("first-"),
	})
	u.SetNamespace(namespace)
	return u
}

func service(name string, labels map[string]string) *unstructured.Unstructured {
	u := object("v1", "Service", name, map[string]any{
		"ports": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "TCP"}},
	})
	u.SetNamespace(namespace)
	u.SetLabels(labels)
	return u
}

// configuration is one of configSize that holds a mark.
func configuration(mark string) map[string]any {
	return map[string]any{"mark": mark, "pad": strings.Repeat("x", configSize-len(`{"mark":"","pad":""}`)-len(mark))}
}

func object(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	u.SetName(name)
	if spec != nil {
		u.Object["spec"] = spec
	}
	return u
}

// create makes objects, several at once; what is there already stays.
func (w *world) create(objects ...*unstructured.Unstructured) error {
	var wait sync.WaitGroup
	work, failed := make(chan *unstructured.Unstructured), make(chan error, workers)
	for range workers {
		wait.Go(func() {
			for o := range work {
				if err := w.Client().Create(context.Background(), o); err != nil && !apierrors.IsAlreadyExists(err) {
					select {
					case failed <- fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err):
					default:
					}
				}
			}
		})
	}
	for _, o := range objects {
		work <- o
	}
	close(work)
	wait.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// mark is another one each time.
func (w *world) mark() string { return fmt.Sprintf("change-%d-", w.marks.Add(1)) }

// patch changes a plugin's configuration by a merge patch and tells how long the API server took.
func (w *world) patch(plugin, mark string) (time.Duration, error) {
	u := object("extensions.istio.io/v1alpha1", "WasmPlugin", plugin, nil)
	u.SetNamespace(namespace)
	data := fmt.Appendf(nil, `{"spec":{"pluginConfig":{"mark":%q,"pad":%q}}}`, mark, configuration(mark)["pad"])
	begin := time.Now()
	err := w.Client().Patch(context.Background(), u, client.RawPatch(types.MergePatchType, data))
	return time.Since(begin), err
}

// statuses waits until every plugin has its status from this run of the product: until it writes no more.
func (w *world) statuses(p *plane) {
	begin := time.Now()
	last := ""
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		if now := w.newest(); now != last {
			last, calm = now, 0
		} else {
			calm++
		}
	}
	p.quiet(30 * time.Second)
	progress("%s: quiet after %s", p.name, time.Since(begin).Round(time.Second))
}

// newest is the newest version of any plugin or Gateway.
func (w *world) newest() (newest string) {
	for _, kind := range []schema.GroupVersionKind{
		{Group: "extensions.istio.io", Version: "v1alpha1", Kind: "WasmPluginList"},
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayList"},
	} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(kind)
		w.h.check(w.Client().List(context.Background(), &list))
		for _, o := range list.Items {
			if v := o.ResourceVersion; len(v) > len(newest) || len(v) == len(newest) && v > newest {
				newest = v
			}
		}
	}
	return newest
}
