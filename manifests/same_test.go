package manifests

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// mustBeSame prints the lines of YAML that only one of the two has.
func mustBeSame(t *testing.T, what string, got, want map[string]*unstructured.Unstructured) {
	t.Helper()
	lines := func(u *unstructured.Unstructured) []string {
		if u == nil {
			return []string{"(not there)"}
		}
		b, err := yaml.Marshal(u.Object)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(b), "\n")
	}
	for key := range union(got, want) {
		g, w := got[key], want[key]
		if g != nil && w != nil && equality.Semantic.DeepEqual(g.Object, w.Object) {
			continue
		}
		t.Errorf("%s: %s differs", what, key)
		for _, line := range lines(g) {
			if !slices.Contains(lines(w), line) {
				t.Log("+", line)
			}
		}
		for _, line := range lines(w) {
			if !slices.Contains(lines(g), line) {
				t.Log("-", line)
			}
		}
	}
}

func union[V any](a, b map[string]V) map[string]bool {
	out := map[string]bool{}
	for _, m := range []map[string]V{a, b} {
		for k := range m {
			out[k] = true
		}
	}
	return out
}

func TestInstallIsWhatTheKustomizationRenders(t *testing.T) {
	got, want := byID(t, objects(t, Install)), byID(t, kustomize(t, "deploy"))
	if len(got) < 15 {
		t.Errorf("only %d objects", len(got))
	}
	mustBeSame(t, "install.yaml and deploy (if it is out of date: `make manifests`)", got, want)
}

func TestTheChartRendersTheSameObjectsAsTheKustomization(t *testing.T) {
	got, want := byID(t, helm(t, namespace)), byID(t, objects(t, Install))
	// Helm makes the namespace itself (--create-namespace), and has to be told to leave the CRDs when it is uninstalled.
	delete(want, "Namespace//"+namespace)
	crds := 0
	for _, u := range got {
		if u.GetKind() == "CustomResourceDefinition" {
			crds++
			annotations := u.GetAnnotations()
			if annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("uninstalling removes %s, and so all plugins", u.GetName())
			}
			delete(annotations, "helm.sh/resource-policy")
			u.SetAnnotations(annotations)
		}
	}
	if crds != 2 {
		t.Errorf("%d CRDs in the chart, want 2", crds)
	}
	mustBeSame(t, "chart and deploy", got, want)
}

func TestTheFolderForIstiosClustersIsTheSameWithoutCRDsAndNamespace(t *testing.T) {
	got, want := byID(t, kustomize(t, "deploy/controller")), byID(t, objects(t, Install))
	for key, u := range want {
		if u.GetKind() == "CustomResourceDefinition" || u.GetKind() == "Namespace" {
			delete(want, key)
		}
	}
	mustBeSame(t, "deploy/controller and deploy", got, want)
}

func TestTheChartsCRDsAreCopiesOfTheGeneratedOnes(t *testing.T) {
	generated, err := filepath.Glob("crd/extensions.istio.io_*.yaml")
	if err != nil || len(generated) != 2 {
		t.Fatal(generated, err)
	}
	for _, path := range generated {
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(filepath.Join("chart/files", path))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %v, %v; run `make manifests`", path, errA, errB)
		}
	}
}

func TestANewConfigurationStartsNewPods(t *testing.T) {
	changed := helm(t, namespace, "--set", "config.log.level=debug")
	sums := map[string]bool{}
	for _, all := range [][]*unstructured.Unstructured{objects(t, Install), helm(t, namespace), changed} {
		config := find[corev1.ConfigMap](t, all, "ConfigMap", "wasmpoint").Data["config.yaml"]
		want := fmt.Sprintf("%x", sha256.Sum256([]byte(config)))
		if got := find[appsv1.Deployment](t, all, "Deployment", "wasmpoint").Spec.Template.Annotations["wasmpoint.dev/config"]; got != want {
			t.Errorf("annotation wasmpoint.dev/config is %s, want %s, the SHA-256 of\n%s", got, want, config)
		}
		sums[want] = true
	}
	if len(sums) != 2 {
		t.Errorf("%d different sums, want 2", len(sums))
	}
}
