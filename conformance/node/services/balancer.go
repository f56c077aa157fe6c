package services

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
)

// Balance plays a cloud: a Service of type LoadBalancer for which chosen is true gets an address from outside, which is its
// address inside, since both lead to this network.
func Balance(ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory, chosen func(*corev1.Service) bool, log *slog.Logger) error {
	lister := factory.Core().V1().Services().Lister()
	var give func(key types.NamespacedName)
	give = func(key types.NamespacedName) {
		s, err := lister.Services(key.Namespace).Get(key.Name)
		if err != nil || ctx.Err() != nil || s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.ClusterIP == "" ||
			len(s.Status.LoadBalancer.Ingress) > 0 || !chosen(s) {
			return
		}
		outside := corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: s.Spec.ClusterIP}}}
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": outside}})
		if err == nil {
			_, err = client.CoreV1().Services(key.Namespace).Patch(ctx, key.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		}
		if err != nil && !apierrors.IsNotFound(err) {
			log.Warn("a Service gets no address from outside yet; it is tried again", "service", key, "error", err)
			time.AfterFunc(again, func() { give(key) })
		}
	}
	_, err := factory.Core().V1().Services().Informer().AddEventHandler(onAny(func(o any) {
		if s, ok := o.(*corev1.Service); ok {
			give(types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
		}
	}))
	return err
}
