package publish

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/stored"
	"github.com/wasmpoint/wasmpoint/manifests/crd"
)

// limit is how long a test waits; the machine may be busy.
const limit = 30 * time.Second

// world is what the engine would know: the test says it.
type world struct {
	mu      sync.Mutex
	plugins map[model.Key]status.Input
	targets map[status.TargetKey]status.TargetInput
	// gateways are those whose status is looked at.
	gateways map[types.NamespacedName]status.GatewayInput
}

func (w *world) PluginInputs(_ context.Context, keys []model.Key) (map[model.Key]status.Input, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[model.Key]status.Input{}
	for _, k := range keys {
		if in, ok := w.plugins[k]; ok {
			out[k] = in
		}
	}
	return out, nil
}

func (w *world) TargetInputs(_ context.Context, gateways []types.NamespacedName, services []model.ServiceKey) (map[status.TargetKey]status.TargetInput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[status.TargetKey]status.TargetInput{}
	add := func(k status.TargetKey) {
		if in, ok := w.targets[k]; ok {
			out[k] = in
		}
	}
	for _, g := range gateways {
		add(status.TargetKey{Kind: "Gateway", NamespacedName: g})
	}
	for _, s := range services {
		add(status.TargetKey{Kind: s.Kind, NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Name}})
	}
	return out, nil
}

func (w *world) GatewayInputs(_ context.Context, names []types.NamespacedName) (map[types.NamespacedName]status.GatewayInput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[types.NamespacedName]status.GatewayInput{}
	for _, name := range names {
		if in, ok := w.gateways[name]; ok {
			out[name] = in
		}
	}
	return out, nil
}

func (*world) RouteInputs(context.Context, []types.NamespacedName) (map[types.NamespacedName]status.RouteInput, error) {
	return nil, nil
}

// rig is a real API server with a publisher.
type rig struct {
	t *testing.T
	*cluster.Cluster
	world *world
	opts  Options
	*Publisher
}

// newRig starts everything. TrafficExtension has a CRD like Istio's there: its status is unknown to the API server.
func newRig(t *testing.T) *rig {
	const extensions = "trafficextensions.extensions.istio.io"
	c := cluster.Start(t, cluster.WithIstioCRDs(), cluster.WithoutCRDs(extensions))
	istios := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.TrafficExtensions, istios); err != nil {
		t.Fatal(err)
	}
	open := true
	version := &istios.Spec.Versions[0]
	version.AdditionalPrinterColumns = nil
	version.Schema.OpenAPIV3Schema.Properties["status"] = apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}
	if _, err := envtest.InstallCRDs(c.Config(), envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{istios}}); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	t.Cleanup(cancel)
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), stored.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	informers, err := cache.New(c.Config(), cache.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	wait.Go(func() { _ = informers.Start(ctx) })
	clients, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: clients.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, Cluster: c, world: &world{plugins: map[model.Key]status.Input{}, targets: map[status.TargetKey]status.TargetInput{}, gateways: map[types.NamespacedName]status.GatewayInput{}}}
	r.opts = Options{
		Engine: r.world, Client: c.Client(), Reader: informers, Recorder: broadcaster.NewRecorder(scheme, "wasmpoint"),
		Settle: 50 * time.Millisecond, MaxDelay: 500 * time.Millisecond,
	}
	return r
}

// lead starts a publisher and gives a function that ends its term.
func (r *rig) lead(change func(*Options)) (end func()) {
	opts := r.opts
	if change != nil {
		change(&opts)
	}
	r.Publisher = New(opts)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { _ = r.Run(ctx) })
	end = sync.OnceFunc(func() { cancel(); wait.Wait() })
	r.t.Cleanup(end)
	return end
}

func TestOnARealAPIServer(t *testing.T) {
	r := newRig(t)
	for _, tests := range []map[string]func(*rig){onPlugins, onTargets, onGateways} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				sub := *r
				sub.t = t
				test(&sub)
			})
		}
	}
	// Last, because it breaks what the others need.
	t.Run("a write that the API server misses is done when it is back", func(t *testing.T) {
		sub := *r
		sub.t = t
		restart(&sub)
	})
}

func (r *rig) create(kind, name string) model.Key {
	r.t.Helper()
	var o client.Object
	targets := []ext.PolicyTargetReference{{Group: "gateway.networking.k8s.io", Kind: "Gateway", Name: "gw"}}
	if kind == ext.KindWasmPlugin {
		p := &ext.WasmPlugin{Spec: ext.WasmPluginSpec{TargetRefs: targets, Phase: "AUTHN"}}
		p.Spec.URL = "oci://localhost:5000/a:1"
		o = p
	} else {
		o = &ext.TrafficExtension{Spec: ext.TrafficExtensionSpec{TargetRefs: targets, Lua: &ext.LuaConfig{InlineCode: "function envoy_on_request() end"}}}
	}
	o.SetNamespace("default")
	o.SetName(name)
	if err := r.Client().Create(context.Background(), o); err != nil {
		r.t.Fatal(err)
	}
	return model.Key{Kind: kind, Namespace: "default", Name: name}
}

// say sets what is so of a plugin on Gateway gw, and marks it.
func (r *rig) say(k model.Key, generation int64, running, total int) {
	ref := model.TargetRef{Group: "gateway.networking.k8s.io", Kind: "Gateway", Namespace: "default", Name: "gw"}
	in := status.Input{
		Plugin: &model.Plugin{Key: k, Generation: generation, Targets: []model.TargetRef{ref}, Wasm: &model.Wasm{URL: "oci://localhost:5000/a:1"}},
		Targets: []status.Target{{
			Verdict: model.Verdict{Target: ref, Accepted: true, Reason: ext.ReasonAccepted},
			Proxies: status.Proxies{Total: total, Running: running},
		}},
		Module: status.ModuleState{Ready: true, Digest: "sha256:0123456789abcdef"},
	}
	r.world.mu.Lock()
	r.world.plugins[k] = in
	r.world.mu.Unlock()
	r.Dirty(status.Dirty{Plugins: []model.Key{k}})
}

func (r *rig) get(kind, apiVersion, name string) *unstructured.Unstructured {
	r.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetKind(kind)
	u.SetAPIVersion(apiVersion)
	if err := r.Client().Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, u); err != nil {
		r.t.Fatal(err)
	}
	return u
}

func (r *rig) plugin(k model.Key) *unstructured.Unstructured {
	r.t.Helper()
	return r.get(k.Kind, ext.GroupVersion.String(), k.Name)
}

// patchStatus is another writer.
func (r *rig) patchStatus(k model.Key, text string) {
	r.t.Helper()
	u := r.plugin(k)
	err := r.Client().Status().Patch(context.Background(), u, client.RawPatch(types.MergePatchType, []byte(text)), client.FieldOwner("other"))
	if err != nil {
		r.t.Fatal(err)
	}
}

// condition finds "Type=Status Reason: message" in status.conditions.
func condition(u *unstructured.Unstructured, kind string) string {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, one := range list {
		if c := one.(map[string]any); c["type"] == kind {
			reason, _ := c["reason"].(string)
			message, _ := c["message"].(string)
			return c["status"].(string) + " " + reason + ": " + message
		}
	}
	return ""
}

func (r *rig) eventually(what string, check func() (got, want string)) {
	r.t.Helper()
	testbed.Eventually(r.t, limit, what, func() (bool, string) {
		got, want := check()
		return got == want, "got " + got + ", want " + want
	})
}

func (r *rig) programmed(k model.Key, want string) {
	r.t.Helper()
	r.eventually(k.String(), func() (string, string) { return condition(r.plugin(k), "Programmed"), want })
}

// quiet marks everything and waits until all of it was looked at without a write.
func (r *rig) quiet(d status.Dirty) {
	r.t.Helper()
	count := int64(len(d.Plugins) + len(d.Gateways) + len(d.Services))
	writes := int64(0)
	for round := range 3 {
		before := r.Counters().Skipped.Load()
		r.Dirty(d)
		testbed.Eventually(r.t, limit, "a look at what was marked", func() (bool, string) {
			return r.Counters().Skipped.Load() >= before+count, "not yet"
		})
		// The API server shows a write before its writer counts it; after the first look it is counted.
		after := r.Counters().Writes.Load()
		if round > 0 && after != writes {
			r.t.Errorf("%d writes although nothing changed", after-writes)
		}
		writes = after
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
