package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/publish"
	"github.com/wasmpoint/wasmpoint/controllers/stored"
)

// Scheme knows every type that the controller reads or writes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, stored.AddToScheme,
	} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CacheOptions are what the cache of a Source needs: Pods by label alone, and no more of any object than somebody reads.
func CacheOptions(scheme *runtime.Scheme) (cache.Options, error) {
	ofGateway, err := labels.NewRequirement(extv1.LabelGatewayName, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, err
	}
	ours := labels.SelectorFromSet(labels.Set{provision.LabelManagedBy: provision.ManagedBy}).Add(*ofGateway)
	return cache.Options{
		Scheme:           scheme,
		DefaultTransform: strip,
		// A read of a kind that nobody watches would start to watch all of it.
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}: {Label: labels.NewSelector().Add(*ofGateway), Transform: stripPod},
			&apiextensionsv1.CustomResourceDefinition{}: {Transform: stripCRD},
			&discoveryv1.EndpointSlice{}:                {Transform: strip},
			// Only what was made for Gateways; Services are watched whole.
			&appsv1.Deployment{}:            {Label: ours},
			&policyv1.PodDisruptionBudget{}: {Label: ours},
			&netv1.NetworkPolicy{}:          {Label: ours},
			&corev1.ConfigMap{}:             {Label: ours},
			&corev1.ServiceAccount{}:        {Label: ours},
		},
	}, nil
}

// strip takes away what nobody reads and what is a good part of most objects.
func strip(o any) (any, error) {
	m, ok := o.(metav1.Object)
	if !ok {
		return o, nil
	}
	switch o.(type) {
	case *gatewayv1.Gateway, *corev1.Service: // who owns a condition is read before it is written
		m.SetManagedFields(publish.KeepOwners(m.GetManagedFields()))
	default:
		m.SetManagedFields(nil)
	}
	if u, is := o.(*unstructured.Unstructured); is && u.GroupVersionKind().Group == securityGroup {
		stripPolicy(u)
	}
	if a := m.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		delete(a, corev1.LastAppliedConfigAnnotation)
	}
	return o, nil
}

// stripPod keeps what counts reads.
func stripPod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	out := &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, DeletionTimestamp: pod.DeletionTimestamp,
		},
	}
	out.Status.Phase = pod.Status.Phase
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		out.Status.ContainerStatuses = append(out.Status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, RestartCount: c.RestartCount})
	}
	return out, nil
}

// stripCRD leaves the schemas out: they are most of it.
func stripCRD(o any) (any, error) {
	crd, ok := o.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return o, nil
	}
	crd.ManagedFields, crd.Annotations = nil, nil
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].Schema = nil
		crd.Spec.Versions[i].AdditionalPrinterColumns = nil
	}
	return crd, nil
}
