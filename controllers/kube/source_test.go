package kube

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// listener is an engine that only writes down what it is told.
type listener struct {
	mu      sync.Mutex
	batches [][]store.Event
	have    map[store.Ref]any
	pods    map[string]engine.Pod
}

func (l *listener) Apply(events []store.Event, _ engine.Network, _ []store.Ref, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, events)
	for _, e := range events {
		if e.Object == nil {
			delete(l.have, e.Deleted)
			continue
		}
		ref, err := store.RefOf(e.Object)
		if err != nil {
			panic(err)
		}
		l.have[ref] = e.Object
	}
	if done != nil {
		done()
	}
}

func (l *listener) SetExternalPod(engine.ExternalPod, bool) {}

func (l *listener) SetPod(_ types.NamespacedName, pod engine.Pod, gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if gone {
		delete(l.pods, pod.Name)
		return
	}
	l.pods[pod.Name] = pod
}

func (l *listener) object(ref string) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r, o := range l.have {
		if r.String() == ref {
			return o
		}
	}
	return nil
}

// startSource runs a source against an API server.
func startSource(t *testing.T, config *rest.Config) (*Source, *listener) {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	options, err := CacheOptions(scheme)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(config, options)
	if err != nil {
		t.Fatal(err)
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{have: map[store.Ref]any{}, pods: map[string]engine.Pod{}}
	s := New(Options{Cache: c, Secrets: clientset.CoreV1(), Engine: l, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Start(ctx) })
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return s, l
}

func waitReady(t *testing.T, s *Source) {
	t.Helper()
	testbed.Eventually(t, 20*time.Second, "the source is complete", func() (bool, string) {
		select {
		case <-s.Ready():
			return true, ""
		default:
			return false, s.Missing()
		}
	})
}

func waitFor(t *testing.T, l *listener, ref string, there bool) {
	t.Helper()
	testbed.Eventually(t, 20*time.Second, fmt.Sprintf("%s is there: %v", ref, there), func() (bool, string) {
		return (l.object(ref) != nil) == there, "it is the other way round"
	})
}

const world = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: http, port: 80, protocol: HTTP}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: auth, namespace: default}
spec:
  url: oci://registry.example/auth:1
  imagePullSecret: pull
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
---
apiVersion: v1
kind: Secret
metadata: {name: pull, namespace: default}
type: kubernetes.io/dockerconfigjson
data: {.dockerconfigjson: e30=}
---
apiVersion: v1
kind: Secret
metadata: {name: other, namespace: default}
`

func TestTheFirstBatchHoldsTheWholeClusterWithTheSecretsThatAreReferredTo(t *testing.T) {
	c := cluster.Start(t, cluster.WithIstioCRDs())
	c.ApplyYAML([]byte(world))
	s, l := startSource(t, c.Config())
	waitReady(t, s)
	l.mu.Lock()
	first := l.batches[0]
	l.mu.Unlock()
	var names []string
	for _, e := range first {
		ref, _ := store.RefOf(e.Object)
		if ref.Namespace == "default" && ref.Name != "kubernetes" && ref.Kind != store.KindEndpointSlice {
			names = append(names, ref.String())
		}
	}
	want := []string{"Gateway default/gw", "Secret default/pull", "WasmPlugin default/auth"}
	if !slices.Equal(names, want) {
		t.Errorf("first batch %v, want %v", names, want)
	}
}

func TestChangesFollowOneByOne(t *testing.T) {
	c := cluster.Start(t, cluster.WithIstioCRDs())
	s, l := startSource(t, c.Config())
	waitReady(t, s)
	c.ApplyYAML([]byte(world))
	waitFor(t, l, "WasmPlugin default/auth", true)
	waitFor(t, l, "Secret default/pull", true)
	l.mu.Lock()
	for _, batch := range l.batches {
		for _, e := range batch {
			if _, plugin := e.Object.(*model.Plugin); plugin && l.have[secretRef(types.NamespacedName{Namespace: "default", Name: "pull"})] == nil {
				t.Error("the plugin came before its Secret")
			}
		}
	}
	l.mu.Unlock()

	c.ApplyYAML([]byte(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: default}
spec: {hosts: [ext.example], addresses: [10.9.0.1], ports: [{number: 80, name: http, protocol: HTTP}]}
`))
	waitFor(t, l, "ServiceEntry default/ext", true)

	plugin := &extv1.WasmPlugin{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "auth"}}
	if err := c.Client().Delete(t.Context(), plugin); err != nil {
		t.Fatal(err)
	}
	waitFor(t, l, "WasmPlugin default/auth", false)
	waitFor(t, l, "Secret default/pull", false) // nobody refers to it any more
	if l.object("Secret default/other") != nil {
		t.Error("a Secret that nobody refers to was read")
	}
}

func TestAPluginWithASecretThatDoesNotExistIsNotHeldBack(t *testing.T) {
	c := cluster.Start(t)
	c.ApplyYAML([]byte(strings.ReplaceAll(world, "imagePullSecret: pull", "imagePullSecret: nowhere")))
	s, l := startSource(t, c.Config())
	waitReady(t, s)
	waitFor(t, l, "WasmPlugin default/auth", true)
	c.ApplyYAML([]byte("apiVersion: v1\nkind: Secret\nmetadata: {name: nowhere, namespace: default}\ntype: kubernetes.io/dockerconfigjson\ndata: {.dockerconfigjson: e30=}\n"))
	waitFor(t, l, "Secret default/nowhere", true)
}

func TestACRDThatIsMissingIsPickedUpWhenItAppears(t *testing.T) {
	const name = "wasmplugins.extensions.istio.io"
	c := cluster.Start(t, cluster.WithoutCRDs(name, "httproutes.gateway.networking.k8s.io"))
	s, l := startSource(t, c.Config())
	waitReady(t, s)
	c.InstallCRDs(name)
	c.ApplyYAML([]byte(world))
	waitFor(t, l, "WasmPlugin default/auth", true)
	var crd apiextensionsv1.CustomResourceDefinition
	if err := c.Client().Get(t.Context(), types.NamespacedName{Name: "httproutes.gateway.networking.k8s.io"}, &crd); err == nil {
		t.Error("the test's own premise fails: HTTPRoute is installed")
	}
}

func TestAPodCountsWhenItIsReadyOrCrashes(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{}
		p.Status.Phase = corev1.PodRunning
		change(p)
		return p
	}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"ready":    {pod(func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{ready} }), true},
		"starting": {pod(func(*corev1.Pod) {}), false},
		"crashing": {pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1}} }), true},
		"ending": {pod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{ready}
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}), false},
		"ended": {pod(func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodFailed
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 3}}
		}), false},
	} {
		if got := counts(c.pod); got != c.want {
			t.Errorf("a Pod that is %s counts: %v, want %v", name, got, c.want)
		}
	}
}

func TestAPodIsOursWhenItWasProvisioned(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Labels = map[string]string{extv1.LabelGatewayName: "gw"}
	if fact(pod).Ours {
		t.Error("a Pod that carries the name of a Gateway alone is not ours")
	}
	pod.Labels["app.kubernetes.io/managed-by"] = "wasmpoint"
	if !fact(pod).Ours {
		t.Error("a provisioned Pod is ours")
	}
}

func TestOnlyAReadyPodThatDoesNotEndTakesTraffic(t *testing.T) {
	crashes, ready := &corev1.Pod{}, &corev1.Pod{}
	crashes.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1}}
	ready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	ending := ready.DeepCopy()
	ending.DeletionTimestamp = &metav1.Time{}
	if fact(crashes).Ready || !fact(ready).Ready || fact(ending).Ready {
		t.Error("the ready one alone takes traffic")
	}
}
