package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
)

// World is what one test works in: namespaces of its own, its objects, and the proxies and backends that stand for its
// Pods. Its methods fail the test with what is not so yet, and are for the test's goroutine.
type World struct {
	*Suite
	t *testing.T
	// Namespace is the test's own, ${NAMESPACE} in manifests. Other, ${OTHER}, is a second one, where a manifest names it.
	Namespace, Other string

	onNode   bool
	steps    map[string][]*unstructured.Unstructured
	gateways map[types.NamespacedName]string // addresses of Gateways
	backends map[types.NamespacedName]string // addresses of the Pods behind Services
	entries  map[types.NamespacedName]string // addresses of ServiceEntries
	proxies  map[string]*Proxy
}

var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// newWorld makes the namespaces and applies the manifests.
func (s *Suite) newWorld(t *testing.T, test Test) *World {
	t.Helper()
	name := s.run + "-" + strings.ToLower(wordStart.ReplaceAllString(test.ShortName, "$1-$2"))
	w := &World{
		Suite: s, t: t, Namespace: name, Other: name + "-other", onNode: test.OnNode,
		gateways: map[types.NamespacedName]string{}, backends: map[types.NamespacedName]string{}, entries: map[types.NamespacedName]string{}, proxies: map[string]*Proxy{},
	}
	values := map[string]string{"NAMESPACE": w.Namespace, "OTHER": w.Other, "ROOT": s.rootNamespace(), "RUN": s.run}
	for k, v := range s.urls {
		values[k] = v
	}
	var err error
	w.steps, err = load(s.Manifests, test.Manifests, values)
	must(t, err)
	s.namespace(t, w.Namespace, nil)
	for _, f := range test.Manifests {
		if raw, err := fs.ReadFile(s.Manifests, f); err == nil && bytes.Contains(raw, []byte("${OTHER}")) {
			s.namespace(t, w.Other, nil)
			break
		}
	}
	w.Apply("")
	return w
}

// Apply applies the documents of the manifests that are annotated with this step. Gateways get an address, unless their
// Pods are on the node, and Services a Pod behind them and a way to their own address.
func (w *World) Apply(step string) {
	w.t.Helper()
	list, ok := w.steps[step]
	if !ok && step != "" {
		w.t.Fatalf("no document has the annotation %s: %s", stepAnnotation, step)
	}
	for _, o := range list {
		w.complete(o)
		must(w.t, w.apply(o))
		w.t.Cleanup(func() { w.delete(o) })
		if o.GetKind() == "Service" && o.GetLabels()[ext.LabelGatewayName] == "" { // the node serves a Gateway's
			w.serve(client.ObjectKeyFromObject(o))
		}
	}
}

// complete puts an object into its namespace, and gives a Gateway whose proxies the suite runs the address that they listen on.
func (w *World) complete(o *unstructured.Unstructured) {
	switch o.GetKind() {
	case "GatewayClass", "Namespace":
		return
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(w.Namespace)
	}
	if o.GetKind() != "Gateway" || w.onNode { // its proxies are provisioned, unless its manifest names a host
		return
	}
	key := client.ObjectKeyFromObject(o)
	if w.gateways[key] == "" {
		w.gateways[key] = w.address()
	}
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[ext.AnnotationListenAddresses] = w.gateways[key]
	o.SetAnnotations(annotations)
	must(w.t, byHand(o, w.gateways[key]))
}

// Delete deletes the documents of a step.
func (w *World) Delete(step string) {
	w.t.Helper()
	for _, o := range slices.Backward(w.steps[step]) {
		w.delete(o)
	}
}

func (w *World) delete(o *unstructured.Unstructured) {
	if err := w.client.Delete(context.Background(), o); client.IgnoreNotFound(err) != nil {
		w.t.Errorf("%s %s/%s cannot be deleted: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
	}
}

// Patch changes an object by a JSON merge patch.
func (w *World) Patch(o client.Object, patch string) {
	w.t.Helper()
	if err := w.client.Patch(context.Background(), o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		w.t.Fatalf("patching %T %s with %s: %v", o, o.GetName(), patch, err)
	}
}

// Get reads an object of the test's namespace, or of the one that key names.
func (w *World) Get(key client.ObjectKey, into client.Object) {
	w.t.Helper()
	if key.Namespace == "" {
		key.Namespace = w.Namespace
	}
	if err := w.client.Get(context.Background(), key, into); err != nil {
		w.t.Fatalf("%T %s: %v", into, key, err)
	}
}

// WasmPlugin names a WasmPlugin of the test's namespace, for Patch.
func (w *World) WasmPlugin(name string) *ext.WasmPlugin {
	p := &ext.WasmPlugin{}
	p.Namespace, p.Name = w.Namespace, name
	return p
}

// URL is the value of a variable of manifests that names a module, as MARKER.
func (w *World) URL(variable string) string {
	w.t.Helper()
	if w.urls[variable] == "" {
		w.t.Fatalf("no module is called %s", variable)
	}
	return w.urls[variable]
}

// RootNamespace is the namespace whose plugins reach all others, ${ROOT} in manifests.
func (w *World) RootNamespace() string { return w.rootNamespace() }

// Client may do everything and reads from the API server.
func (w *World) Client() client.Client { return w.client }

// PushModule pushes a module to the suite's registry as REPOSITORY:v1 and gives its URL. The repository must be the test's.
func (w *World) PushModule(repository string, module []byte) string {
	w.t.Helper()
	w.registry.Push(w.Namespace+"/"+repository, "v1", registrytest.PluginImage(module))
	return fmt.Sprintf("oci://%s/%s/%s:v1", w.registry.Host, w.Namespace, repository)
}

// of fills the test's namespace in.
func (w *World) of(name types.NamespacedName) types.NamespacedName {
	if name.Namespace == "" {
		name.Namespace = w.Namespace
	}
	return name
}

// named reads "name", or "namespace/name".
func named(text string) types.NamespacedName {
	if namespace, name, two := strings.Cut(text, "/"); two {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	return types.NamespacedName{Name: text}
}

var errNoAddress = errors.New("has no address")
