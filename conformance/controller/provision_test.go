package controller

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

const provisioned = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: wasmpoint}
spec: {controllerName: wasmpoint.dev/controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: wasmpoint-waypoint
  annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}
spec: {controllerName: wasmpoint.dev/controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: wasmpoint
  infrastructure: {labels: {team: shop}, annotations: {example.com/note: hello}}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

// inside are parameters of a Gateway that is reached in the cluster alone: there is no load balancer here.
const inside = `{apiVersion: v1, kind: ConfigMap, metadata: {name: inside, namespace: shop}, data: {serviceType: ClusterIP}}`

// made are the objects of a Gateway as "Kind", sorted; those that end do not count.
func (w *world) made(ns, name string) []string {
	w.t.Helper()
	var out []string
	for kind, o := range map[string]client.Object{
		"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{},
		"ConfigMap": &corev1.ConfigMap{}, "PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "NetworkPolicy": &netv1.NetworkPolicy{},
	} {
		err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, o)
		if err == nil && o.GetDeletionTimestamp() == nil {
			out = append(out, kind)
		} else if err != nil && !apierrors.IsNotFound(err) {
			w.t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) makes(ns, name, want string) {
	w.t.Helper()
	w.eventually(ns+"/"+name+" is "+want, func() (bool, string) {
		got := strings.Join(w.made(ns, name), " ")
		return got == want, got
	})
}

const (
	allOfIngress  = "ConfigMap Deployment PodDisruptionBudget Service ServiceAccount"
	allOfWaypoint = "ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service ServiceAccount"
)

// gateway waits until a Gateway is so.
func (w *world) gateway(name types.NamespacedName, what string, condition func(*gatewayv1.Gateway) bool) *gatewayv1.Gateway {
	w.t.Helper()
	gw := &gatewayv1.Gateway{}
	w.eventually("Gateway "+name.String()+" "+what, func() (bool, string) {
		gw = &gatewayv1.Gateway{}
		err := w.Client().Get(context.Background(), name, gw)
		return err == nil && condition(gw), fmt.Sprintf("%+v %v", gw.Status, err)
	})
	return gw
}

// says tells whether a condition is "Type=Status Reason: message", for the current generation.
func says(conditions []metav1.Condition, generation int64, want string) bool {
	return slices.ContainsFunc(conditions, func(c metav1.Condition) bool {
		return c.ObservedGeneration == generation && fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message) == want
	})
}

func (w *world) deployment(ns, name string) *appsv1.Deployment {
	w.t.Helper()
	d := &appsv1.Deployment{}
	if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) update(o client.Object, change func()) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("an edit of %T %s", o, o.GetName()), func() (bool, string) {
		if err := w.Client().Get(context.Background(), client.ObjectKeyFromObject(o), o); err != nil {
			return false, err.Error()
		}
		change()
		err := w.Client().Update(context.Background(), o)
		return err == nil, fmt.Sprint(err)
	})
}

func TestAGatewayGetsItsProxiesAndTheyGoWithIt(t *testing.T) {
	w := newWorld(t, testcluster.WithControllerManager())
	w.ApplyYAML([]byte(provisioned))
	r := w.start("a", sameAddress).ready()
	w.makes("shop", "edge-wasmpoint", allOfIngress)
	edge := types.NamespacedName{Namespace: "shop", Name: "edge"}

	// The Pods come, with the owner's labels, and with the proxy's rights alone.
	pods := &corev1.PodList{}
	w.eventually("a Pod of the Gateway", func() (bool, string) {
		err := w.Client().List(context.Background(), pods, client.InNamespace("shop"), client.MatchingLabels{"gateway.networking.k8s.io/gateway-name": "edge", "team": "shop"})
		return err == nil && len(pods.Items) == 1, fmt.Sprint(len(pods.Items), err)
	})
	pod := pods.Items[0]
	if pod.Annotations["example.com/note"] != "hello" || pod.Spec.ServiceAccountName != "edge-wasmpoint" || pod.Spec.Containers[0].Image != "docker.io/envoyproxy/envoy:distroless-v1.40.0" {
		t.Errorf("the Pod is %+v", pod)
	}
	if config := w.bootstrap("shop", "edge-wasmpoint"); !strings.Contains(config, "wasmpoint.wasmpoint-system.svc") || !strings.Contains(config, "BEGIN CERTIFICATE") {
		t.Errorf("the bootstrap is %s", config)
	}

	// Nothing is applied again while nothing changes, by a new leader either.
	before := w.versions("shop", "edge-wasmpoint")
	applied := w.applied()
	r.stop()
	w.start("b", sameAddress).ready()
	w.eventually("the new leader leads", func() (bool, string) { return strings.Count(w.log.String(), "this replica leads") == 2, "" })
	w.ApplyYAML([]byte(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: other, namespace: shop}
spec:
  gatewayClassName: wasmpoint-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
`))
	w.makes("shop", "other-wasmpoint-waypoint", allOfWaypoint)
	if after := w.versions("shop", "edge-wasmpoint"); after != before {
		t.Errorf("objects were written again: %s, %s", before, after)
	}
	if again := w.applied(); again != applied+6 {
		t.Errorf("%d applied, then %d: want 6 more", applied, again)
	}

	// An edit by hand is undone, what others add stays.
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge-wasmpoint"}}
	w.update(d, func() {
		d.Spec.Template.Spec.Containers[0].Image = "registry.example/other"
		two := int32(2)
		d.Spec.Replicas = &two
		d.Annotations["example.com/mine"] = "stays"
	})
	w.eventually("the edit is undone", func() (bool, string) {
		d := w.deployment("shop", "edge-wasmpoint")
		image := d.Spec.Template.Spec.Containers[0].Image
		return image == "docker.io/envoyproxy/envoy:distroless-v1.40.0" && *d.Spec.Replicas == 2 && d.Annotations["example.com/mine"] == "stays", image
	})
	if err := w.Client().Delete(context.Background(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge-wasmpoint"}}); err != nil {
		t.Fatal(err)
	}
	w.makes("shop", "edge-wasmpoint", allOfIngress)

	// Another class: the other objects come, and the old ones go.
	gw := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other"}}
	w.update(gw, func() { gw.Spec.GatewayClassName = "wasmpoint"; gw.Spec.Listeners[0].Protocol = "HTTP" })
	w.makes("shop", "other-wasmpoint", allOfIngress)
	w.makes("shop", "other-wasmpoint-waypoint", "")
	w.update(gw, func() { gw.Spec.GatewayClassName = "somebody" })
	w.makes("shop", "other-wasmpoint", "")

	// The Gateway goes, and everything with it.
	if err := w.Client().Delete(context.Background(), &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: edge.Name}}); err != nil {
		t.Fatal(err)
	}
	// The garbage collector looks for new kinds, such as Gateway, every 30 s.
	testbed.Eventually(t, 2*time.Minute, "everything is gone", func() (bool, string) {
		got := strings.Join(w.made("shop", "edge-wasmpoint"), " ")
		return got == "", got
	})
}

// sameAddress gives replicas one address for proxies, as their Service does.
func sameAddress(c *cluster.Config) {
	c.Provisioning.XDSAddress, c.Provisioning.ModulesAddress = "wasmpoint.wasmpoint-system.svc:15010", "wasmpoint.wasmpoint-system.svc:15011"
}

// applied counts what was applied, as the log tells.
func (w *world) applied() int { return strings.Count(w.log.String(), " applied ") }

func (w *world) bootstrap(ns, name string) string {
	w.t.Helper()
	m := &corev1.ConfigMap{}
	if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, m); err != nil {
		w.t.Fatal(err)
	}
	return m.Data["bootstrap.json"]
}

// versions are the resourceVersions of what only the controller writes.
func (w *world) versions(ns, name string) string {
	w.t.Helper()
	var out []string
	for _, o := range []client.Object{&corev1.Service{}, &corev1.ServiceAccount{}, &corev1.ConfigMap{}} {
		if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, o); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, o.GetResourceVersion())
	}
	return strings.Join(out, " ")
}

func TestParametersAreHonouredAndWrongOnesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ApplyYAML([]byte(provisioned))
	edge := types.NamespacedName{Namespace: "shop", Name: "edge"}
	w.start("a").ready()
	w.makes("shop", "edge-wasmpoint", allOfIngress)

	gw := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge"}}
	w.update(gw, func() {
		gw.Spec.Infrastructure.ParametersRef = &gatewayv1.LocalParametersReference{Kind: "ConfigMap", Name: "proxies"}
	})
	w.gateway(edge, "misses its parameters", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, gw.Generation, "Accepted=False InvalidParameters: spec.infrastructure.parametersRef: ConfigMap shop/proxies does not exist; create it, or remove the reference")
	})
	w.ApplyYAML([]byte(`{apiVersion: v1, kind: ConfigMap, metadata: {name: proxies, namespace: shop}, data: {replicas: "3", image: registry.example/envoy:2}}`))
	image := func() string {
		d := w.deployment("shop", "edge-wasmpoint")
		return fmt.Sprint(*d.Spec.Replicas, " ", d.Spec.Template.Spec.Containers[0].Image)
	}
	w.eventually("the parameters are in force", func() (bool, string) { return image() == "3 registry.example/envoy:2", image() })
	accepted := func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, gw.Generation, "Accepted=True Accepted: the Gateway is valid")
	}
	w.gateway(edge, "is accepted", accepted)

	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "proxies"}}
	w.update(m, func() { m.Data = map[string]string{"replicas": "many", "image": "registry.example/envoy:3"} })
	w.gateway(edge, "says what is wrong", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, gw.Generation, `Accepted=False InvalidParameters: ConfigMap shop/proxies: data.replicas: "many": use a whole number between 0 and 10000`)
	})
	if got := image(); got != "3 registry.example/envoy:2" {
		t.Errorf("wrong parameters changed what runs: %s", got)
	}
	w.update(m, func() { m.Data = map[string]string{"image": "registry.example/envoy:3"} })
	w.eventually("an edit rolls", func() (bool, string) {
		got := image()
		return strings.HasSuffix(got, " registry.example/envoy:3"), got
	})
	w.gateway(edge, "is accepted", accepted)
}

func TestAnObjectOfSomebodyElseIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ApplyYAML([]byte(`{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`))
	w.ApplyYAML([]byte(`{apiVersion: v1, kind: Service, metadata: {name: edge-wasmpoint, namespace: shop}, spec: {ports: [{port: 1234}]}}`))
	w.ApplyYAML([]byte(provisioned))
	w.start("a").ready()
	edge := types.NamespacedName{Namespace: "shop", Name: "edge"}
	w.gateway(edge, "says whose the name is", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, gw.Generation, "Programmed=False NoResources: Service shop/edge-wasmpoint exists and does not belong to this Gateway; remove it, or give the Gateway another name")
	})
	if got := w.made("shop", "edge-wasmpoint"); len(got) != 1 {
		t.Errorf("made %v, want nothing beside the stranger's Service", got)
	}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "edge-wasmpoint"}}
	if err := w.Client().Get(context.Background(), client.ObjectKeyFromObject(s), s); err != nil || len(s.OwnerReferences) > 0 || s.Spec.Ports[0].Port != 1234 {
		t.Errorf("the stranger's Service is %+v, %v", s, err)
	}
	if err := w.Client().Delete(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	w.makes("shop", "edge-wasmpoint", allOfIngress)
}

func TestAGatewayWhoseServiceIsSomebodyElsesIsNotProvisioned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ApplyYAML([]byte(strings.Replace(provisioned, "  listeners: [{name: http", "  addresses: [{type: Hostname, value: mine.shop.svc}]\n  listeners: [{name: http", 1)))
	w.start("a").ready()
	edge := types.NamespacedName{Namespace: "shop", Name: "edge"}
	w.gateway(edge, "has the address that it names", func(gw *gatewayv1.Gateway) bool {
		return len(gw.Status.Addresses) == 1 && gw.Status.Addresses[0].Value == "mine.shop.svc"
	})
	if got := w.made("shop", "edge-wasmpoint"); len(got) > 0 {
		t.Errorf("made %v", got)
	}
}

// What the Deployment says is run here, by the official Envoy: the arguments, and the bootstrap with the ports of this test in the
// place of those of a Pod of its own. The name of the Gateway is longer than a label may be.
func TestTheProvisionedPodIsAProxyOfItsGateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	edge := types.NamespacedName{Namespace: "shop", Name: "edge-" + strings.Repeat("of-the-shop-", 6) + "x"}
	made := provision.Name(&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: edge.Name}, Spec: gatewayv1.GatewaySpec{GatewayClassName: "wasmpoint"}})
	w.ApplyYAML([]byte(strings.NewReplacer("port: 80,", "port: 8080,", "infrastructure: {", `infrastructure: {parametersRef: {group: "", kind: ConfigMap, name: inside}, `,
		"name: edge, namespace: shop", "name: "+edge.Name+", namespace: shop, annotations: {wasmpoint.dev/listen-addresses: "+free(t)+"}").Replace(provisioned + "---\n" + inside)))
	w.start("a", func(c *cluster.Config) {
		c.Provisioning.XDSAddress, c.Provisioning.ModulesAddress = c.XDS.Address, c.Modules.Address
	}, authenticating).ready()
	w.makes("shop", made, allOfIngress)
	ready := testbed.FreePort(t)
	config := w.bootstrap("shop", made)
	for port, here := range map[int]int{15021: ready, 15000: testbed.FreePort(t)} {
		config = strings.ReplaceAll(config, fmt.Sprintf(`"port_value": %d`, port), fmt.Sprintf(`"port_value": %d`, here))
	}
	template := w.deployment("shop", made).Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = "shop", "edge-wasmpoint-7c9f-abcde"
	if err := w.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "token") // as the kubelet mounts it
	if err := os.WriteFile(token, []byte(w.token(pod, bootstrap.TokenAudience)), 0o600); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(config, provision.TokenFile) {
		t.Fatalf("the bootstrap names no token: %s", config)
	}
	config = strings.NewReplacer(provision.TokenFile, token, provision.TokenDir, filepath.Dir(token)).Replace(config)
	args := slices.Clone(pod.Spec.Containers[0].Args)
	if args[0] != "--config-path" || !slices.Contains(args, "--disable-hot-restart") {
		t.Fatalf("arguments %v", args)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$(POD_NAME)", pod.Name)
	}
	testbed.StartEnvoy(t, []byte(config), args[2:]...) // the testbed says the file itself
	w.eventually("the kubelet's question is answered", func() (bool, string) {
		code, body := get(fmt.Sprintf("http://127.0.0.1:%d/ready", ready))
		return code == 200, body
	})
	w.gateway(edge, "is programmed", func(gw *gatewayv1.Gateway) bool {
		return says(gw.Status.Conditions, gw.Generation, "Programmed=True Programmed: every connected proxy has the listeners")
	})
}
