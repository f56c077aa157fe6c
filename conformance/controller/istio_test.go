package controller

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// istioCRDs installs Istio's own EnvoyFilter, from the module that tools/istio names.
func (w *world) istioCRDs() {
	w.t.Helper()
	download := exec.Command("go", "mod", "download", "-json", "istio.io/api")
	download.Dir = filepath.Join("..", "..", "tools", "istio")
	raw, err := download.Output()
	if err != nil {
		w.t.Fatalf("go mod download istio.io/api: %v: %s", err, raw)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(raw, &module); err != nil {
		w.t.Fatal(err)
	}
	all, err := os.ReadFile(filepath.Join(module.Dir, "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	for document := range bytes.SplitSeq(all, []byte("\n---\n")) {
		if bytes.Contains(document, []byte("\n  name: envoyfilters.networking.istio.io\n")) {
			file := filepath.Join(w.t.TempDir(), "crd.yaml")
			if err := os.WriteFile(file, document, 0o600); err != nil {
				w.t.Fatal(err)
			}
			if _, err := envtest.InstallCRDs(w.Config(), envtest.CRDInstallOptions{Paths: []string{file}, ErrorIfPathMissing: true, MaxTime: soon}); err != nil {
				w.t.Fatal(err)
			}
			return
		}
	}
	w.t.Fatal("Istio's file of CRDs has no EnvoyFilter")
}

type object = map[string]any

// at goes down a path of fields.
func at(o any, path ...string) any {
	for _, p := range path {
		fields, _ := o.(object)
		o = fields[p]
	}
	return o
}

// filtersOf does what istiod does with the patches of HTTP filters, for one listener whose only filter is the router.
func filtersOf(t *testing.T, filter *unstructured.Unstructured) []any {
	t.Helper()
	filters := []any{object{"name": "envoy.filters.http.router", "typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}
	patches, _, err := unstructured.NestedSlice(filter.Object, "spec", "configPatches")
	if err != nil || len(patches) != 8 {
		t.Fatalf("%d patches, %v", len(patches), err)
	}
	for _, p := range patches {
		if at(p, "applyTo") != "HTTP_FILTER" {
			continue
		}
		if at(p, "match", "context") != "GATEWAY" || at(p, "match", "listener", "portNumber") != int64(8080) {
			t.Errorf("match %v", at(p, "match"))
		}
		where := 0
		if at(p, "patch", "operation") == "INSERT_BEFORE" {
			name := at(p, "match", "listener", "filterChain", "filter", "subFilter", "name")
			where = slices.IndexFunc(filters, func(f any) bool { return at(f, "name") == name })
		}
		filters = slices.Insert(filters, where, at(p, "patch", "value"))
	}
	return filters
}

// TestThePrintedEnvoyFilterIsTakenByIstiosCRDAndItsPiecesRun does not run Istio's proxy: stock Envoy merges the override as
// istio-agent has it do.
func TestThePrintedEnvoyFilterIsTakenByIstiosCRDAndItsPiecesRun(t *testing.T) {
	w := newWorld(t)
	w.istioCRDs()
	r := w.start("a", authenticating).ready()
	pod := w.externalPod("ingress-1", map[string]string{"istio": "ingressgateway", extv1.LabelProxy: extv1.ProxyIstio})
	printed, err := bootstrap.Istio{
		External: bootstrap.External{
			Scopes: places("gateway 8080"), HTTP: true, Network: true, XDS: r.config.XDS.Address, Modules: r.config.Modules.Address,
			TLS: &bootstrap.TLS{CA: w.ca(), Name: pki.ServerName(namespace)}, TokenFile: w.tokenFile(pod),
		},
		Namespace: "default", Name: "wasmpoint", Selector: map[string]string{"istio": "ingressgateway"},
	}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	w.ApplyYAML(printed)
	key := client.ObjectKey{Namespace: "default", Name: "wasmpoint"}
	read := func(kind, version string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		u.SetKind(kind)
		u.SetAPIVersion(version)
		if err := w.Client().Get(t.Context(), key, u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	filter := read("EnvoyFilter", "networking.istio.io/v1alpha3")
	wrong := filter.DeepCopy()
	if err := unstructured.SetNestedField(wrong.Object, "x", "spec", "nothing"); err != nil {
		t.Fatal(err)
	}
	if err := w.TryApply(wrong); err == nil {
		t.Error("the CRD takes a field that it does not have: this test says nothing")
	}

	port := testbed.FreePort(t)
	address := func(port int) object {
		return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
	}
	config, err := json.Marshal(object{
		"node":  object{"id": "router~10.0.0.1~ingress-1.default~default.svc.cluster.local", "cluster": "ingress", "metadata": object{"ISTIO_VERSION": "1.32.0"}},
		"admin": object{"address": address(testbed.FreePort(t))},
		"static_resources": object{"listeners": []any{object{"name": "8080", "address": address(port), "filter_chains": []any{object{"filters": []any{object{
			"name": "envoy.filters.network.http_connection_manager", "typed_config": object{
				"@type":        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"stat_prefix":  "8080",
				"http_filters": filtersOf(t, filter),
				"route_config": object{"virtual_hosts": []any{object{"name": "all", "domains": []any{"*"}, "routes": []any{
					object{"match": object{"prefix": "/"}, "direct_response": object{"status": 200}},
				}}}},
			},
		}}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	override, _, _ := unstructured.NestedString(read("ConfigMap", "v1").Object, "data", "custom_bootstrap.json")
	text, err := yaml.JSONToYAML([]byte(override))
	if err != nil {
		t.Fatal(err)
	}
	testbed.StartEnvoy(t, config, "--config-yaml", string(text))
	w.answers(testbed.Address(port), 200)
	w.guard("theirs", "default", "", "")
	w.plugin("theirs", "is Istio's", is("Accepted", "False"))
	w.guard("ours", "default", "istio.io/rev: wasmpoint", "  phase: AUTHN")
	w.answers(testbed.Address(port), 401)
	w.plugin("ours", "is programmed", is("Programmed", "True"))
}
