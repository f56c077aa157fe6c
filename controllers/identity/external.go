package identity

import (
	"context"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// externalPod is an empty Pod of an external proxy. Of such Pods only the metadata is read.
func externalPod() *metav1.PartialObjectMetadata {
	p := &metav1.PartialObjectMetadata{}
	p.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return p
}

// isExternal tells whether a Pod says that it has an external proxy.
func isExternal(p *metav1.PartialObjectMetadata) bool { return p.Labels[extv1.LabelProxy] != "" }

// workloadOf is the workload of an external proxy's Pod.
func workloadOf(p *metav1.PartialObjectMetadata) types.NamespacedName {
	return model.WorkloadName(p.Namespace, p.Labels, model.IstioPrograms(p.Labels, p.Annotations))
}

// namedBy is the Pod that a node's id names: it is the Pod's name, or has Istio's form TYPE~IP~POD.NAMESPACE~DOMAIN.
func namedBy(node *corev3.Node, namespace string) types.NamespacedName {
	pod := types.NamespacedName{Namespace: namespace, Name: node.GetId()}
	if parts := strings.Split(node.GetId(), "~"); len(parts) == 4 {
		if name, its := strings.CutSuffix(parts[2], "."+namespace); its {
			pod.Name = name
		}
	}
	return pod
}

// notIstios refuses a proxy that Istio started, in a Pod that says that nobody else runs plugins there.
func (a *Authenticator) notIstios(ctx context.Context, node *corev3.Node, pod, workload types.NamespacedName) error {
	_, version := node.GetMetadata().GetFields()["ISTIO_VERSION"]
	if !model.IsWorkload(workload) || !version && !strings.Contains(node.GetId(), "~") {
		return nil
	}
	meta := externalPod()
	if err := a.external.Get(ctx, pod, meta); err != nil || model.IstioPrograms(meta.Labels, meta.Annotations) {
		return nil // one that went meanwhile ends its streams
	}
	return status.Errorf(codes.PermissionDenied, "Istio programs the proxy of Pod %s, whose label %s says %s: every plugin would run twice; label it %s=%s",
		pod, extv1.LabelProxy, extv1.ProxyExternal, extv1.LabelProxy, extv1.ProxyIstio)
}
