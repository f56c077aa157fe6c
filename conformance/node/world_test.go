package node_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/node"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// patience is a bound for a busy machine; what works takes a small part.
const patience = time.Minute

// world is a cluster with one node.
type world struct {
	t       *testing.T
	cluster *cluster.Cluster
	node    *node.Node
	folder  string
}

func newWorld(t *testing.T, o node.Options) *world {
	t.Helper()
	w := &world{t: t, cluster: cluster.Start(t, cluster.WithControllerManager(), cluster.WithoutAnyCRD()), folder: t.TempDir()}
	o.Config, o.Images, o.Folder = w.cluster.Config(), []node.Image{node.Envoy(t)}, w.folder
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	w.node = node.Start(t, o)
	return w
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world { return &world{t, w.cluster, w.node, w.folder} }

// gateway makes a namespace with two proxies that answer with a text, and waits until they are available.
func (w *world) gateway(namespace, text string) {
	w.t.Helper()
	n := &corev1.Namespace{}
	n.Name = namespace
	if err := w.cluster.Client().Create(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
	w.apply(namespace, text, "1")
	w.available(namespace, 2)
}

func (w *world) apply(namespace, text, version string) {
	w.t.Helper()
	w.cluster.ApplyYAML(fill(gateway, "NAMESPACE", namespace, "TEXT", text, "VERSION", `"`+version+`"`))
}

// available waits until the Deployment's newest version alone runs, with n Pods.
func (w *world) available(namespace string, n int32) {
	w.t.Helper()
	w.eventually("the Deployment has its Pods", func() (bool, string) {
		var d appsv1.Deployment
		err := w.cluster.Client().Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "gateway"}, &d)
		s := d.Status
		return err == nil && s.ObservedGeneration == d.Generation && s.Replicas == n && s.UpdatedReplicas == n && s.AvailableReplicas == n,
			fmt.Sprintf("%+v, %v", s, err)
	})
}

func (w *world) pods(namespace string) []corev1.Pod {
	w.t.Helper()
	var list corev1.PodList
	if err := w.cluster.Client().List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

func (w *world) pod(namespace, name string) *corev1.Pod {
	w.t.Helper()
	p := &corev1.Pod{}
	if err := w.cluster.Client().Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: name}, p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// service is the address of the gateway's Service.
func (w *world) service(namespace string) string {
	w.t.Helper()
	s := &corev1.Service{}
	if err := w.cluster.Client().Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: "gateway"}, s); err != nil {
		w.t.Fatal(err)
	}
	return s.Spec.ClusterIP + ":8080"
}

func (w *world) eventually(what string, condition func() (bool, string)) {
	w.t.Helper()
	testbed.Eventually(w.t, patience, what, condition)
}

// volume reads a file of a volume of a Pod, as the Pod's processes see it.
func (w *world) volume(pod *corev1.Pod, path ...string) (string, error) {
	content, err := os.ReadFile(filepath.Join(append([]string{w.folder, "pods", string(pod.UID), "volumes"}, path...)...))
	return string(content), err
}

// fresh opens a connection for each request.
var fresh = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask gives the answer and the name of the Pod that gave it.
func ask(address string) (text, pod string, err error) {
	r, err := fresh.Get("http://" + address + "/")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	return string(body), r.Header.Get("x-pod"), err
}
