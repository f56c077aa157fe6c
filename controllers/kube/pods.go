package kube

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/engine"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
)

// watchPods feeds the count of proxies from the Pods of Gateways, which the cache picks by their label.
func (s *Source) watchPods(ctx context.Context) error {
	informer, err := s.o.Cache.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching Pods: %w", err)
	}
	tell := func(o any, gone bool) {
		if tombstone, is := o.(toolscache.DeletedFinalStateUnknown); is {
			o = tombstone.Obj
		}
		if pod, ok := o.(*corev1.Pod); ok {
			label := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Labels[extv1.LabelGatewayName]}
			s.o.Engine.SetPod(label, fact(pod), gone)
		}
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { tell(o, false) },
		UpdateFunc: func(before, o any) {
			if gatewayOf(before) != gatewayOf(o) {
				tell(before, true)
			}
			tell(o, false)
		},
		DeleteFunc: func(o any) { tell(o, true) },
	})
	if err != nil {
		return fmt.Errorf("watching Pods: %w", err)
	}
	go s.complete(ctx, "Pod", registration.HasSynced)
	return nil
}

// gatewayOf is the Gateway that a Pod's label names.
func gatewayOf(o any) string {
	if pod, ok := o.(*corev1.Pod); ok {
		return pod.Labels[extv1.LabelGatewayName]
	}
	return ""
}

// fact is what the engine has to know of a Pod.
func fact(pod *corev1.Pod) engine.Pod {
	return engine.Pod{Name: pod.Name, Counts: counts(pod), Ready: live(pod) && ready(pod), Ours: pod.Labels[provision.LabelManagedBy] == provision.ManagedBy}
}

// counts tells whether a proxy is expected in a Pod: it is ready, or it was and crashes. One that is starting, ending or
// ended takes no traffic.
func counts(pod *corev1.Pod) bool {
	if !live(pod) {
		return false
	}
	if ready(pod) {
		return true
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.RestartCount > 0 {
			return true
		}
	}
	return false
}

// live tells that a Pod neither ends nor ended.
func live(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
