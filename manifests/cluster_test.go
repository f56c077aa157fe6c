package manifests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// ourCRDs come with the manifests.
var ourCRDs = cluster.WithoutCRDs("wasmplugins.extensions.istio.io", "trafficextensions.extensions.istio.io")

func makeNamespaces(c *cluster.Cluster, names ...string) {
	for _, name := range names {
		c.Apply(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
}

// apply applies objects in their order, as kubectl does with a file.
func apply(t *testing.T, c *cluster.Cluster, how string, all []*unstructured.Unstructured) {
	t.Helper()
	for _, u := range all {
		if err := c.TryApply(u); err != nil {
			t.Errorf("%s: %s: %v", how, id(u), err)
		}
	}
}

func TestTheAPIServerTakesWhatIsInstalledAndAllSamples(t *testing.T) {
	c := cluster.Start(t, ourCRDs, cluster.WithIstioCRDs())
	apply(t, c, "install.yaml", objects(t, Install))
	for how, all := range renderings(t) {
		if strings.HasPrefix(how, "chart") {
			// Helm's --create-namespace, and the namespaces of rbac.secrets.
			makeNamespaces(c, namespace, "elsewhere", "team-a", "team-b")
		}
		apply(t, c, how, all)
		podIsAllowed(t, c, how, find[appsv1.Deployment](t, all, "Deployment", "wasmpoint"))
	}

	makeNamespaces(c, "istio-system")
	paths := []string{"samples/features/world.yaml"}
	for _, pattern := range []string{"samples/*/*.yaml", "samples/*/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 30 {
		t.Errorf("only %d samples", len(paths))
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range objects(t, content) {
			if u.GetNamespace() == "" && u.GetKind() != "Namespace" {
				u.SetNamespace(metav1.NamespaceDefault)
			}
			if u.GetKind() == "EndpointSlice" {
				// Bookinfo's are for wasmpoint standalone, where Pods listen on loopback.
				if err := c.TryApply(u); err == nil || !strings.Contains(err.Error(), "loopback") {
					t.Errorf("%s: EndpointSlice %s: %v", path, u.GetName(), err)
				}
				continue
			}
			eventually(t, path, func() error { return c.TryApply(u) })
		}
	}
}

// eventually gives a CRD that was just applied the time to be served.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	testbed.Eventually(t, patience, what, func() (bool, string) {
		if err := f(); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
}

// podIsAllowed shows that Pod Security Admission lets a pod of the Deployment into a namespace for restricted pods.
func podIsAllowed(t *testing.T, c *cluster.Cluster, how string, d *appsv1.Deployment) {
	t.Helper()
	restricted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "restricted", Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
	c.Apply(restricted)
	pod := func(change func(*corev1.PodSpec)) error {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "p-", Namespace: restricted.Name}, Spec: *d.Spec.Template.Spec.DeepCopy()}
		p.Spec.ServiceAccountName, p.Spec.PriorityClassName = "", ""
		change(&p.Spec)
		return c.Client().Create(context.Background(), p, client.DryRunAll)
	}
	if err := pod(func(*corev1.PodSpec) {}); err != nil {
		t.Errorf("%s: the pod is refused: %v", how, err)
	}
	err := pod(func(s *corev1.PodSpec) { s.Containers[0].SecurityContext = nil })
	if err == nil || !strings.Contains(err.Error(), "restricted") {
		t.Errorf("%s: this server does not check pods: %v", how, err)
	}
}
