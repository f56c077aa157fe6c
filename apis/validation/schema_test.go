package validation

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/wasmpoint/wasmpoint/manifests/crd"
)

func definitions(t *testing.T) map[string]*apiextensions.CustomResourceDefinition {
	t.Helper()
	out := map[string]*apiextensions.CustomResourceDefinition{}
	for kind, text := range map[string][]byte{"WasmPlugin": crd.WasmPlugins, "TrafficExtension": crd.TrafficExtensions} {
		d, err := internal(text)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = d
	}
	return out
}

// An API server refuses a CRD whose schema is not structural or whose CEL rules may cost too much.
func TestAnAPIServerTakesOurDefinitions(t *testing.T) {
	for kind, d := range definitions(t) {
		d.Status.StoredVersions = []string{"v1alpha1"}
		for _, e := range crdvalidation.ValidateCustomResourceDefinition(context.Background(), d) {
			t.Errorf("%s: %v", kind, e)
		}
		if got := d.Labels["gateway.networking.k8s.io/policy"]; got != "Inherited" {
			t.Errorf("%s: policy label %q", kind, got)
		}
		if got := d.Spec.Names.Categories; !slices.Equal(got, []string{"istio-io", "extensions-istio-io"}) {
			t.Errorf("%s: categories %v", kind, got)
		}
		var columns []string
		for _, c := range append(d.Spec.AdditionalPrinterColumns, d.Spec.Versions[0].AdditionalPrinterColumns...) {
			name := c.Name
			if c.Priority > 0 {
				name += " (wide)"
			}
			columns = append(columns, name)
		}
		if want := []string{"Targets", "Phase", "Priority", "Accepted", "Programmed", "Module", "Age", "URL (wide)", "Message (wide)"}; !slices.Equal(columns, want) {
			t.Errorf("%s: columns %v, want %v", kind, columns, want)
		}
	}
}

// The lists are Istio's (v1alpha1 of extensions.istio.io); a field that is missing here would make old manifests fail.
func TestTheDefinitionsHaveEveryFieldOfIstiosAPI(t *testing.T) {
	module := []string{
		"failStrategy", "imagePullPolicy", "imagePullSecret", "pluginConfig", "pluginName", "sha256", "type", "url",
		"verificationKey", "vmConfig",
	}
	place := []string{"match", "phase", "priority", "selector", "targetRefs"}
	for kind, want := range map[string][]string{
		"WasmPlugin":       append(append([]string{"targetRef"}, place...), module...),
		"TrafficExtension": append([]string{"wasm", "lua"}, place...),
	} {
		s, err := schemaOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		spec := s.structural.Properties["spec"]
		checkFields(t, kind+" spec", spec, want)
		wasm := spec
		if kind == "TrafficExtension" {
			wasm = spec.Properties["wasm"]
			checkFields(t, "wasm", wasm, module)
			checkFields(t, "lua", spec.Properties["lua"], []string{"inlineCode"})
		}
		env := wasm.Properties["vmConfig"].Properties["env"]
		checkFields(t, "env", *env.Items, []string{"name", "value", "valueFrom"})
		match := spec.Properties["match"]
		checkFields(t, "match", *match.Items, []string{"mode", "ports"})
		targets := spec.Properties["targetRefs"]
		checkFields(t, "targetRefs", *targets.Items, []string{"group", "kind", "name", "namespace"})
		checkFields(t, "selector", spec.Properties["selector"], []string{"matchLabels"})
		status := s.structural.Properties["status"]
		checkFields(t, "status", status, []string{"ancestors", "conditions", "observedGeneration", "summary", "validationMessages"})
		if conditions := status.Properties["conditions"]; !status.XPreserveUnknownFields || !conditions.Items.XPreserveUnknownFields {
			t.Errorf("%s: status must keep what Istio writes there", kind)
		}
	}
}

func checkFields(t *testing.T, where string, s structuralschema.Structural, want []string) {
	t.Helper()
	var got []string
	for name := range s.Properties {
		got = append(got, name)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s has fields %v, want %v", where, got, want)
	}
}

func TestTheStatusOfAFileIsNotLookedAt(t *testing.T) {
	obj := plugin()
	obj["status"] = map[string]any{"observedGeneration": map[string]any{}, "conditions": "none"}
	if errs := Object(obj); errs != nil {
		t.Error(errs)
	}
}

func TestJudgingLeavesTheObjectAsItIs(t *testing.T) {
	obj, same := plugin(), plugin()
	for _, o := range []map[string]any{obj, same} {
		o["spec"].(map[string]any)["foo"] = 1
		o["spec"].(map[string]any)["priority"] = nil
		o["spec"].(map[string]any)["pluginConfig"] = nil
	}
	if errs := Object(obj); len(errs) != 1 {
		t.Errorf("errors %v, want one, on spec.foo", errs)
	}
	if !reflect.DeepEqual(obj, same) {
		t.Errorf("the object was changed to %v", obj)
	}
}

func TestNumbersOfEveryGoTypeAreTaken(t *testing.T) {
	for _, n := range []any{1, int32(1), int64(1), uint16(1), 1.0, float32(1)} {
		obj := plugin()
		obj["spec"].(map[string]any)["priority"] = n
		obj["spec"].(map[string]any)["match"] = []any{map[string]any{"ports": []any{map[string]any{"number": n}}}}
		if errs := Object(obj); errs != nil {
			t.Errorf("%T: %v", n, errs)
		}
	}
}

func TestManyObjectsCanBeJudgedAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				bad := plugin()
				bad["spec"].(map[string]any)["url"] = "ftp://x"
				if Object(plugin()) != nil || len(Object(bad)) != 1 {
					t.Error("a verdict differs when several objects are judged at once")
				}
			}
		})
	}
	wg.Wait()
}

func TestAnObjectThatIsNoJSONIsAnErrorAndNoPanic(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"a channel in the spec": func(o map[string]any) { o["spec"] = map[string]any{"url": make(chan int)} },
		"metadata is a string":  func(o map[string]any) { o["metadata"] = "p" },
		"metadata is null":      func(o map[string]any) { o["metadata"] = nil },
		"spec is null":          func(o map[string]any) { o["spec"] = nil },
		"kind is a number":      func(o map[string]any) { o["kind"] = 5 },
	} {
		o := plugin()
		change(o)
		if len(Object(o)) == 0 {
			t.Errorf("%s: no error", name)
		}
	}
	if len(Object(nil)) == 0 {
		t.Error("nil: no error")
	}
}

func plugin() map[string]any {
	return map[string]any{
		"apiVersion": "extensions.istio.io/v1alpha1",
		"kind":       "WasmPlugin",
		"metadata":   map[string]any{"name": "p"},
		"spec":       map[string]any{"url": "oci://r.example/x:1"},
	}
}

// The same list is judged by controllers/model, which does not trust that the CRD was asked; the two must agree.
func TestTheseURLsAreGood(t *testing.T) {
	for _, url := range []string{
		"oci://r.example/x:1", "oci://private-registry:5000/x:latest", "r.example/x", "docker.io/org/x:1.0.0", "x",
		"localhost:5000/x:1", "127.0.0.1:5000/x:1", "my-registry.example:443/a/b@sha256:" + strings.Repeat("0", 64),
		"my_registry:5000/x:1", "[::1]:5000/x:1", "http://m.example/x.wasm", "https://m.example:8443/x.wasm?token=a",
		"file:///opt/x.wasm", "file://x.wasm",
	} {
		obj := plugin()
		obj["spec"].(map[string]any)["url"] = url
		for _, e := range Object(obj) {
			t.Error(e)
		}
	}
}
