package suite

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ext "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// scheduler is nobody's, so that no node ever runs the Pods of the suite: their proxies are processes here.
const scheduler = "wasmpoint-conformance"

// account is the ServiceAccount of the proxies, whose tokens they show.
const account = "wasmpoint-conformance-proxy"

// Proxy is a Pod of a Gateway and the Envoy that stands for it.
type Proxy struct {
	w *World
	// Name is the Pod's, and the node id of the proxy.
	Name    string
	gateway client.ObjectKey
	envoy   *testbed.Envoy
	// xds is where it finds the controller, unless that is its usual address.
	xds   string
	admin string
}

// Proxies makes n ready Pods of a Gateway ("name" or "namespace/name") and starts their Envoys.
func (w *World) Proxies(gateway string, n int) []*Proxy {
	w.t.Helper()
	var out []*Proxy
	for range n {
		p := w.PodOf(gateway)
		p.Start()
		out = append(out, p)
	}
	return out
}

// PodOf makes a ready Pod of a Gateway whose proxy does not run (yet).
func (w *World) PodOf(gateway string) *Proxy {
	w.t.Helper()
	key := w.of(named(gateway))
	p := &Proxy{w: w, gateway: key, Name: fmt.Sprintf("%s-%d", key.Name, len(w.proxies)+1)}
	w.proxies[p.Name] = p
	w.pod(key.Namespace, p.Name, map[string]string{ext.LabelGatewayName: key.Name})
	return p
}

// pod makes a ready Pod.
func (w *World) pod(namespace, name string, labels map[string]string) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name, pod.Labels = namespace, name, labels
	pod.Spec.SchedulerName, pod.Spec.ServiceAccountName = scheduler, account
	pod.Spec.Containers = []corev1.Container{{Name: "envoy", Image: "envoy.invalid/envoy"}}
	ctx := context.Background()
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := w.client.Create(ctx, owner); err != nil && !apierrors.IsAlreadyExists(err) {
		must(w.t, err)
	}
	eventually(w.t, w.Timeouts.Ready, "Pod "+name+" is created", func() (bool, string) {
		err := w.client.Create(ctx, pod) // refused as long as the namespace's ServiceAccount is missing
		return err == nil || apierrors.IsAlreadyExists(err), fmt.Sprint(err)
	})
	w.t.Cleanup(func() {
		zero := int64(0)
		if err := w.client.Delete(ctx, pod, &client.DeleteOptions{GracePeriodSeconds: &zero}); client.IgnoreNotFound(err) != nil {
			w.t.Errorf("Pod %s is left over: %v", name, err)
		}
	})
	ready := pod.DeepCopy()
	ready.Status.Phase = corev1.PodRunning
	ready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	must(w.t, w.client.Status().Patch(ctx, ready, client.MergeFrom(pod)))
	return pod
}

// Token asks for a token of the Pod for an audience, as the kubelet does for a projected volume.
func (p *Proxy) Token(audience string) string {
	w := p.w
	w.t.Helper()
	pod := &corev1.Pod{}
	must(w.t, w.client.Get(context.Background(), client.ObjectKey{Namespace: p.gateway.Namespace, Name: p.Name}, pod))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{audience},
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	must(w.t, w.client.SubResource("token").Create(context.Background(), account, request))
	return request.Status.Token
}

// Start starts the Pod's Envoy with the Pod's token and waits until it has its configuration.
func (p *Proxy) Start() {
	p.w.t.Helper()
	p.StartWith(Shows{Token: p.Token(bootstrap.TokenAudience)})
	p.MustBeReady()
}

// MustBeReady waits until the Envoy has its configuration.
func (p *Proxy) MustBeReady() {
	w := p.w
	w.t.Helper()
	hc := &http.Client{Timeout: w.Timeouts.Request}
	eventually(w.t, w.Timeouts.Ready, "proxy "+p.Name+" is ready", func() (bool, string) {
		if !p.envoy.Running() {
			w.t.Fatalf("proxy %s ended", p.Name)
		}
		code, _, err := testbed.Get(hc, "http://"+p.admin+"/ready")
		return code == http.StatusOK, fmt.Sprint(code, " ", err)
	})
}

// Through has the proxy reach the controller by way of h. Call it before Start.
func (p *Proxy) Through(h *HoldBack) { p.xds = h.address }

// MustNotListen waits until the Envoy has no listener any more whose name contains a text.
func (p *Proxy) MustNotListen(text string) {
	p.w.t.Helper()
	hc := &http.Client{Timeout: p.w.Timeouts.Request}
	eventually(p.w.t, p.w.Timeouts.Traffic, "proxy "+p.Name+" has no listener for "+text, func() (bool, string) {
		answer, err := hc.Get("http://" + p.admin + "/listeners")
		if err != nil {
			return false, err.Error()
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		return err == nil && answer.StatusCode == http.StatusOK && !strings.Contains(string(body), text), fmt.Sprint(answer.Status, " ", err, "\n", string(body))
	})
}

// Log is what the Envoy printed so far.
func (p *Proxy) Log() string { return p.envoy.Log() }
