package suite

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
)

// madeKinds are those of a Gateway's objects, in the order of Made.
var madeKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ServiceAccount"},
}

// The objects of a Gateway, as Made and MustMake name them.
const (
	AllOfIngress  = "ConfigMap Deployment PodDisruptionBudget Service ServiceAccount"
	AllOfWaypoint = "ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service ServiceAccount"
)

// Made are the objects that the controller made for a Gateway.
func (w *World) Made(gateway string) (out []metav1.PartialObjectMetadata) {
	w.t.Helper()
	key := w.of(named(gateway))
	for _, kind := range madeKinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		must(w.t, w.client.List(context.Background(), list, client.InNamespace(key.Namespace), client.MatchingLabels{
			ext.LabelGatewayName: key.Name, provision.LabelManagedBy: provision.ManagedBy,
		}))
		for _, o := range list.Items {
			o.SetGroupVersionKind(kind)
			out = append(out, o)
		}
	}
	return out
}

// MustMake waits until the controller has made exactly the objects of these kinds for a Gateway, and gives them.
func (w *World) MustMake(gateway, kinds string) (made []metav1.PartialObjectMetadata) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Ready, "Gateway "+gateway+" has the objects "+kinds, func() (bool, string) {
		made = w.Made(gateway)
		var have []string
		for _, o := range made {
			have = append(have, o.Kind)
		}
		text := strings.Join(have, " ")
		return text == kinds, text
	})
	return made
}

// Object names what the controller made for a Gateway, for Get and Patch.
func (w *World) Object(gateway string, o client.Object) client.ObjectKey {
	w.t.Helper()
	gw := &gatewayv1.Gateway{}
	w.Get(w.of(named(gateway)), gw)
	o.SetNamespace(gw.Namespace)
	o.SetName(provision.Name(gw))
	return client.ObjectKeyFromObject(o)
}

// Eventually waits until an object of the cluster is so; why says why not yet.
func (w *World) Eventually(what string, why func() string) {
	w.t.Helper()
	eventually(w.t, w.Timeouts.Ready, what, func() (bool, string) {
		text := why()
		return text == "", text
	})
}

// MustReplace waits until none of these Pods is left and n others are ready.
func (w *World) MustReplace(gateway string, old []corev1.Pod, n int) []corev1.Pod {
	w.t.Helper()
	var now []corev1.Pod
	w.Eventually(fmt.Sprintf("Gateway %s has %d new Pods", gateway, n), func() string {
		now = w.pods(gateway)
		ready := 0
		for _, p := range now {
			for _, o := range old {
				if p.UID == o.UID {
					return "Pod " + p.Name + " is still there"
				}
			}
			if isReady(&p) {
				ready++
			}
		}
		if len(now) != n || ready != n {
			return fmt.Sprintf("%d new Pods, %d ready", len(now), ready)
		}
		return ""
	})
	return now
}

func (w *World) pods(gateway string) []corev1.Pod {
	w.t.Helper()
	key := w.of(named(gateway))
	var list corev1.PodList
	must(w.t, w.client.List(context.Background(), &list, client.InNamespace(key.Namespace), client.MatchingLabels{ext.LabelGatewayName: key.Name}))
	return list.Items
}

// Remove deletes an object of the cluster, and what it owns with it.
func (w *World) Remove(o client.Object) {
	w.t.Helper()
	must(w.t, client.IgnoreNotFound(w.client.Delete(context.Background(), o, client.PropagationPolicy(metav1.DeletePropagationBackground))))
}

// Writes counts how often an object is written from now on, whoever writes.
func (w *World) Writes(o client.Object) (count func() int) {
	w.t.Helper()
	key := client.ObjectKeyFromObject(o)
	w.Get(key, o)
	list := &unstructured.UnstructuredList{}
	gvk, err := w.client.GroupVersionKindFor(o)
	must(w.t, err)
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	watcher, err := w.client.Watch(context.Background(), list, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: o.GetResourceVersion()}})
	must(w.t, err)
	w.t.Cleanup(watcher.Stop)
	var n atomic.Int64
	go func() {
		for e := range watcher.ResultChan() {
			if e.Type == watch.Modified {
				n.Add(1)
			}
		}
	}()
	return func() int { return int(n.Load()) }
}
