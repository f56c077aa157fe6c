package cluster

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extensionsv1alpha1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // or controller-runtime complains that nobody did
	os.Exit(m.Run())
}

func TestTheServerIsTheOneThatIsPinnedAndHasTheCRDs(t *testing.T) {
	c := Start(t)
	server, err := discovery.NewDiscoveryClientForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	version, err := server.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.36.3" || version.Major != "1" || version.Minor != "36" {
		t.Errorf("the server says that it is %s (%s.%s)", version.GitVersion, version.Major, version.Minor)
	}
	for _, list := range []client.ObjectList{
		&extensionsv1alpha1.WasmPluginList{}, &extensionsv1alpha1.TrafficExtensionList{},
		&gatewayv1.GatewayClassList{}, &gatewayv1.GatewayList{}, &gatewayv1.HTTPRouteList{}, &gatewayv1.GRPCRouteList{},
	} {
		if err := c.Client().List(t.Context(), list); err != nil {
			t.Errorf("%T: %v", list, err)
		}
	}
	if err := c.Client().List(t.Context(), &networkingv1.ServiceEntryList{}); !apimeta.IsNoMatchError(err) {
		t.Errorf("ServiceEntries are there without being asked for: %v", err)
	}
}

func TestTheRulesOfCRDsActOnWhatIsWritten(t *testing.T) {
	c := Start(t, WithIstioCRDs())
	plugin := func(name, url string) *extensionsv1alpha1.WasmPlugin {
		p := &extensionsv1alpha1.WasmPlugin{}
		p.Namespace, p.Name, p.Spec.URL = "default", name, url
		return p
	}
	c.Apply(plugin("good", "oci://registry.example/basic-auth:v1"))
	err := c.TryApply(plugin("bad", "ftp://registry.example/basic-auth.wasm"))
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "url must have schema one of [http, https, file, oci]") {
		t.Errorf("a WasmPlugin with a wrong URL: %v", err)
	}

	c.ApplyYAML([]byte(`
# Only a comment.
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: default}
spec:
  hosts: [outside.example]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.1}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, namespace: default}
`))
	entry := &networkingv1.ServiceEntry{}
	if err := c.Client().Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "outside"}, entry); err != nil {
		t.Fatal(err)
	}
	if p := entry.Spec.Ports; len(p) != 1 || p[0].Number != 443 || entry.Spec.Endpoints[0].Address != "192.0.2.1" {
		t.Errorf("the ServiceEntry came back as %+v", entry.Spec)
	}
	entry.Spec.WorkloadSelector = &networkingv1.WorkloadSelector{Labels: map[string]string{"app": "a"}}
	if err := c.TryApply(entry); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "only one of WorkloadSelector or Endpoints") {
		t.Errorf("a ServiceEntry with endpoints and a selector: %v", err)
	}
	if err := c.Client().Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "second"}, &corev1.ConfigMap{}); err != nil {
		t.Error(err)
	}
}

func TestCRDsThatWereLeftOutCanBeInstalledLater(t *testing.T) {
	const name = "httproutes.gateway.networking.k8s.io"
	c := Start(t, WithoutCRDs(name))
	if err := c.Client().List(t.Context(), &gatewayv1.HTTPRouteList{}); !apimeta.IsNoMatchError(err) {
		t.Errorf("HTTPRoutes without their CRD: %v", err)
	}
	if err := c.Client().List(t.Context(), &gatewayv1.GatewayList{}); err != nil {
		t.Error(err)
	}
	c.InstallCRDs(name)
	if err := c.Client().List(t.Context(), &gatewayv1.HTTPRouteList{}); err != nil {
		t.Errorf("HTTPRoutes with their CRD: %v", err)
	}
}

func TestTheControllerManagerMakesPodsOfADeploymentAndCollectsThem(t *testing.T) {
	c := Start(t, WithControllerManager())
	c.ApplyYAML([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: echo, image: echo.example/echo:v1}]}
`))
	pods := func() []corev1.Pod {
		var list corev1.PodList
		if err := c.Client().List(context.Background(), &list, client.InNamespace("default")); err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	testbed.Eventually(t, patience, "two Pods", func() (bool, string) {
		got := pods()
		return len(got) == 2, podNames(got)
	})
	if volumes := pods()[0].Spec.Volumes; len(volumes) != 1 || volumes[0].Projected == nil {
		t.Errorf("a Pod has not its ServiceAccount's token: %+v", volumes)
	}
	deployment := &appsv1.Deployment{}
	deployment.Namespace, deployment.Name = "default", "echo"
	if err := c.Client().Delete(t.Context(), deployment, client.PropagationPolicy("Background")); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, patience, "no Pods", func() (bool, string) {
		got := pods()
		return len(got) == 0, podNames(got)
	})
}

func podNames(pods []corev1.Pod) string {
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return "Pods: " + strings.Join(names, ", ")
}
