package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// externalPods names what is waited for.
const externalPods = "Pod of an external proxy"

// ExternalCacheOptions are what the cache of the Pods of external proxies needs. It is one of its own: of a kind, a cache
// watches one selection in one form, and of these Pods, which may be all of a mesh, only the metadata is read.
func ExternalCacheOptions(scheme *runtime.Scheme) cache.Options {
	labelled, err := labels.NewRequirement(extv1.LabelProxy, selection.Exists, nil)
	if err != nil {
		panic("kube: " + err.Error()) // the label is a constant
	}
	return cache.Options{
		Scheme: scheme, DefaultLabelSelector: labels.NewSelector().Add(*labelled),
		DefaultTransform: stripExternal, ReaderFailOnMissingInformer: true,
	}
}

// stripExternal keeps what model.IstioPrograms and the rules read.
func stripExternal(o any) (any, error) {
	p, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return o, nil
	}
	out := &metav1.PartialObjectMetadata{TypeMeta: p.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Name: p.Name, Namespace: p.Namespace, UID: p.UID, ResourceVersion: p.ResourceVersion,
		Labels: p.Labels, Annotations: map[string]string{},
	}}
	for _, key := range model.IstioAnnotations {
		if value, has := p.Annotations[key]; has {
			out.Annotations[key] = value
		}
	}
	return out, nil
}

// watchExternal tells the engine of the Pods of external proxies.
func (s *Source) watchExternal(ctx context.Context) error {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	informer, err := s.o.External.GetInformer(ctx, pod, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching Pods of external proxies: %w", err)
	}
	tell := func(o any, gone bool) {
		if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
			o = tombstone.Obj
		}
		p, ok := o.(*metav1.PartialObjectMetadata)
		if !ok || p.Labels[extv1.LabelGatewayName] != "" { // a Gateway's
			gone = true
		}
		if ok {
			s.o.Engine.SetExternalPod(engine.ExternalPod{
				NamespacedName: client.ObjectKeyFromObject(p), Labels: p.Labels, Istio: model.IstioPrograms(p.Labels, p.Annotations),
			}, gone)
		}
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { tell(o, false) },
		UpdateFunc: func(_, o any) { tell(o, false) },
		DeleteFunc: func(o any) { tell(o, true) },
	})
	if err != nil {
		return fmt.Errorf("watching Pods of external proxies: %w", err)
	}
	go s.complete(ctx, externalPods, registration.HasSynced)
	return nil
}
