package provision

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// plan is one Gateway's objects in the making.
type plan struct {
	Input
	parameters
	name string
	// bootstrap is Envoy's, as JSON.
	bootstrap []byte
}

// Objects gives a Gateway's objects in the form in which they are applied, in the order in which they are. An error that is
// an InvalidParameters is for the Gateway's owner to mend.
func Objects(in Input) ([]*unstructured.Unstructured, error) {
	p := &plan{Input: in, name: Name(in.Gateway), parameters: parameters{
		image: in.Facts.Image, drainSeconds: 15, logLevel: "warning", concurrency: 2, serviceType: corev1.ServiceTypeLoadBalancer, resources: usual,
	}}
	if in.Waypoint {
		p.serviceType = corev1.ServiceTypeClusterIP
	}
	for _, m := range []*corev1.ConfigMap{in.Defaults, in.Parameters} {
		if err := p.read(m, in.Waypoint); err != nil {
			return nil, err
		}
	}
	var err error
	if p.bootstrap, err = p.envoy(); err != nil {
		return nil, err
	}
	typed := []runtime.Object{p.serviceAccount(), p.configMap(), p.service(), p.deployment(), p.disruptionBudget()}
	if in.Waypoint {
		typed = append(typed, p.networkPolicy())
	}
	var out []*unstructured.Unstructured
	for _, o := range typed {
		u, err := plain(o)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// envoy is the bootstrap. Its node id is replaced by the Pod's name on the command line.
func (p *plan) envoy() ([]byte, error) {
	name := types.NamespacedName{Namespace: p.Gateway.Namespace, Name: p.Gateway.Name}
	return bootstrap.JSON(bootstrap.Config{
		ID: name.String(), Gateway: name, XDS: p.Facts.XDS, Modules: p.Facts.Modules, TLS: p.Facts.TLS, TokenFile: TokenFile,
		Admin: fmt.Sprintf("127.0.0.1:%d", AdminPort), Ready: fmt.Sprintf("0.0.0.0:%d", ReadyPort), Drain: p.drain(),
	})
}

// drain is how the Gateway's proxies end; nil: without a word.
func (p *plan) drain() *bootstrap.Drain {
	if p.drainSeconds == 0 || p.Facts.DrainKey == nil {
		return nil
	}
	mac := hmac.New(sha256.New, p.Facts.DrainKey)
	_, _ = io.WriteString(mac, p.Gateway.Namespace+"/"+p.Gateway.Name+"/"+string(p.Gateway.UID)) // a hash takes everything
	return &bootstrap.Drain{
		Secret: base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]), For: time.Duration(p.drainSeconds) * time.Second,
	}
}

// meta is what all objects have. Ours goes before the owner's labels, because the rules and the counts go by it.
func (p *plan) meta() metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Name: p.name, Namespace: p.Gateway.Namespace, Labels: map[string]string{}, Annotations: map[string]string{},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: gatewayv1.GroupVersion.String(), Kind: "Gateway", Name: p.Gateway.Name, UID: p.Gateway.UID,
			Controller: ptr.To(true),
		}},
	}
	if i := p.Gateway.Spec.Infrastructure; i != nil {
		for k, v := range i.Labels {
			m.Labels[string(k)] = string(v)
		}
		for k, v := range i.Annotations {
			m.Annotations[string(k)] = string(v)
		}
	}
	maps.Copy(m.Labels, p.selector())
	return m
}

// selector picks the Pods that are made here. The Gateway's name alone is not enough: another controller's Pods, which stand
// beside ours while a Gateway moves from its class to one of ours, carry it too.
func (p *plan) selector() map[string]string {
	return map[string]string{
		extv1.LabelGatewayName:      LabelValue(p.Gateway.Name),
		extv1.LabelGatewayClassName: LabelValue(string(p.Gateway.Spec.GatewayClassName)),
		LabelManagedBy:              ManagedBy,
	}
}

func (p *plan) serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: p.meta(), AutomountServiceAccountToken: ptr.To(false),
	}
}

func (p *plan) configMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: p.meta(), Data: map[string]string{bootstrapFile: string(p.bootstrap)},
	}
}

// plain gives an object without what is not ours to say, and with the hash of the rest.
func plain(o runtime.Object) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("object %T: %w", o, err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("object %T: %w", o, err)
	}
	delete(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "template", "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "selector", "creationTimestamp")
	if data, err = u.MarshalJSON(); err != nil {
		return nil, err
	}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AnnotationApplied] = hash(data)
	u.SetAnnotations(annotations)
	return u, nil
}
