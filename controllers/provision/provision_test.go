package provision

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

var update = flag.Bool("update", false, "write testdata/*.out.yaml anew")

var facts = Facts{Image: "registry.example/envoy:usual", XDS: "wasmpoint.wasmpoint-system.svc:15010", Modules: "wasmpoint.wasmpoint-system.svc:15011", DrainKey: []byte("key"),
	TLS: &bootstrap.TLS{CAFile: "/ca.crt", Name: "wasmpoint.wasmpoint-system.svc"}}

// world reads a Gateway, and two ConfigMaps if there are any: the class's and its own.
func world(t *testing.T, path string) Input {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Facts: facts, Gateway: &gatewayv1.Gateway{}}
	for i, document := range bytes.Split(raw, []byte("\n---\n")) {
		var into any = in.Gateway
		switch i {
		case 1:
			in.Defaults = &corev1.ConfigMap{}
			into = in.Defaults
		case 2:
			in.Parameters = &corev1.ConfigMap{}
			into = in.Parameters
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Fatal(err)
		}
	}
	in.Waypoint = in.Gateway.Spec.GatewayClassName == "wasmpoint-waypoint"
	return in
}

func TestTheObjectsOfAGatewayAreThoseOfTheGoldenFiles(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) < 3 {
		t.Fatal(inputs, err)
	}
	for _, path := range inputs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			objects, err := Objects(world(t, path))
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for _, o := range objects {
				b, err := yaml.Marshal(o.Object)
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, string(b))
			}
			got := strings.Join(parts, "---\n")
			golden := strings.Replace(path, ".in.", ".out.", 1)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v; %s is not (any more; go test -update, and look at the difference)\n%s", err, golden, got)
			}
		})
	}
}

func TestWrongParametersAreRefusedWithFieldValueAndNextStep(t *testing.T) {
	for _, c := range []struct {
		waypoint         bool
		name, value, say string
	}{
		{false, "replica", "3", `ConfigMap shop/p: data.replica is not known; use concurrency, drainSeconds, image, imagePullSecrets, logLevel, minAvailable, nodeSelector, replicas, resources, serviceType, tolerations`},
		{false, "replicas", "-1", `ConfigMap shop/p: data.replicas: "-1": use a whole number between 0 and 10000`},
		{false, "concurrency", "0", `ConfigMap shop/p: data.concurrency: "0": use a whole number between 1 and 1024`},
		{false, "image", "", `ConfigMap shop/p: data.image: "": name an image of Envoy 1.39 or later`},
		{false, "logLevel", "loud", `ConfigMap shop/p: data.logLevel: "loud": use trace, debug, info, warning, error, critical or off`},
		{false, "minAvailable", "half", `ConfigMap shop/p: data.minAvailable: "half": use a whole number such as 1, or a percentage such as 50%`},
		{false, "minAvailable", "101%", `ConfigMap shop/p: data.minAvailable: "101%": use a whole number such as 1, or a percentage such as 50%`},
		{false, "drainSeconds", "1m", `ConfigMap shop/p: data.drainSeconds: "1m": use a whole number between 0 and 3600`},
		{false, "serviceType", "ExternalName", `ConfigMap shop/p: data.serviceType: "ExternalName": use LoadBalancer, NodePort or ClusterIP`},
		{true, "serviceType", "LoadBalancer", `ConfigMap shop/p: data.serviceType: "LoadBalancer": use ClusterIP, because this Gateway is a waypoint, or leave it out`},
		{false, "resources", "{request: {cpu: 1}}", `ConfigMap shop/p: data.resources: "{request: {cpu: 1}}": give a container's resources in YAML, such as {requests: {cpu: 100m}, limits: {memory: 1Gi}} (unknown field "request")`},
	} {
		in := world(t, "testdata/ingress.in.yaml")
		in.Waypoint = c.waypoint
		in.Parameters = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"}, Data: map[string]string{c.name: c.value}}
		_, err := Objects(in)
		var invalid *InvalidParameters
		if !errors.As(err, &invalid) || err.Error() != c.say {
			t.Errorf("%s=%s:\n got %v\nwant %s", c.name, c.value, err, c.say)
		}
	}
}

func TestNamesAreThoseOfGEP1762AndServicesCanHaveThem(t *testing.T) {
	long := strings.Repeat("a", 60)
	seen := map[string]string{}
	for _, c := range []struct{ gateway, class, want string }{
		{"edge", "wasmpoint", "edge-wasmpoint"},
		{long, "wasmpoint", ""}, {long + "b", "wasmpoint", ""}, {long, "wasmpoint-waypoint", ""},
		{"4ever", "wasmpoint", "gateway-4ever-wasmpoint"}, {"4" + long, "wasmpoint", ""},
		{"a.b", "wasmpoint", ""}, {"a-b", "wasmpoint", "a-b-wasmpoint"},
	} {
		gw := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: c.gateway}, Spec: gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(c.class)}}
		name := Name(gw)
		if c.want != "" && name != c.want || len(validation.IsDNS1035Label(name)) > 0 || seen[name] != "" {
			t.Errorf("%s of class %s is named %q", c.gateway, c.class, name)
		}
		seen[name] = c.gateway
	}
}

func TestAnObjectHoldsWhatWasAppliedWhateverOthersAdd(t *testing.T) {
	objects, err := Objects(world(t, "testdata/ingress.in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	applied := objects[3]
	if applied.GetKind() != "Deployment" {
		t.Fatal(applied.GetKind())
	}
	change := func(f func(containers []any, o map[string]any)) *unstructured.Unstructured {
		u := applied.DeepCopy()
		template, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "template", "spec")
		pod := template.(map[string]any)
		f(pod["containers"].([]any), u.Object)
		return u
	}
	for name, c := range map[string]struct {
		live *unstructured.Unstructured
		want bool
	}{
		"nothing changed": {change(func([]any, map[string]any) {}), true},
		"replicas and a status": {change(func(_ []any, o map[string]any) {
			o["status"] = map[string]any{"replicas": int64(2)}
			_ = unstructured.SetNestedField(o, int64(2), "spec", "replicas")
		}), true},
		"a container of another's": {change(func(c []any, o map[string]any) {
			_ = unstructured.SetNestedSlice(o, []any{map[string]any{"name": "sidecar"}, c[0]}, "spec", "template", "spec", "containers")
		}), true},
		"another image": {change(func(c []any, _ map[string]any) { c[0].(map[string]any)["image"] = "other" }), false},
		"an argument more": {change(func(c []any, _ map[string]any) {
			c[0].(map[string]any)["args"] = append(c[0].(map[string]any)["args"].([]any), "--more")
		}), false},
		"a volume of another's": {change(func(c []any, _ map[string]any) {
			c[0].(map[string]any)["volumeMounts"] = append([]any{map[string]any{"mountPath": "/mine"}}, c[0].(map[string]any)["volumeMounts"].([]any)...)
		}), true},
		"an argument less":   {change(func(c []any, _ map[string]any) { c[0].(map[string]any)["args"] = []any{"--config-path"} }), false},
		"a label taken away": {change(func(_ []any, o map[string]any) { unstructured.RemoveNestedField(o, "metadata", "labels") }), false},
		"the container is out": {change(func(_ []any, o map[string]any) {
			_ = unstructured.SetNestedSlice(o, nil, "spec", "template", "spec", "containers")
		}), false},
	} {
		if got := Holds(c.live.Object, applied.Object); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestANetworkPolicyThatWasOpenedDoesNotHold(t *testing.T) {
	objects, err := Objects(world(t, "testdata/waypoint.in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	policy := objects[5]
	if policy.GetKind() != "NetworkPolicy" || !Holds(policy.DeepCopy().Object, policy.Object) {
		t.Fatal(policy)
	}
	rules, _, _ := unstructured.NestedSlice(policy.Object, "spec", "ingress")
	opened, ports := policy.DeepCopy(), policy.DeepCopy()
	_ = unstructured.SetNestedSlice(opened.Object, append(rules, map[string]any{}), "spec", "ingress")
	rules, _, _ = unstructured.NestedSlice(ports.Object, "spec", "ingress")
	rule := rules[0].(map[string]any)
	rule["ports"] = append(rule["ports"].([]any), map[string]any{"port": int64(15088), "protocol": "TCP"})
	_ = unstructured.SetNestedSlice(ports.Object, rules, "spec", "ingress")
	if Holds(opened.Object, policy.Object) || Holds(ports.Object, policy.Object) {
		t.Error("a rule or port more is not noticed")
	}
}

func TestAddressesAreTheLoadBalancersElseTheClusters(t *testing.T) {
	s := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.0.0.1", "fd00::1"}}}
	say := func() (out []string) {
		for _, a := range Addresses(s) {
			out = append(out, fmt.Sprintf("%s %s", *a.Type, a.Value))
		}
		return out
	}
	if got := strings.Join(say(), ", "); got != "IPAddress 10.0.0.1, IPAddress fd00::1" {
		t.Error(got)
	}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	if got := say(); len(got) > 0 || !AwaitsLoadBalancer(s) {
		t.Errorf("%v, before there is a load balancer", got)
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "lb.example"}, {IP: "192.0.2.1"}}
	if got := strings.Join(say(), ", "); got != "Hostname lb.example, IPAddress 192.0.2.1" {
		t.Error(got)
	}
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Status.LoadBalancer.Ingress, s.Spec.ClusterIPs = nil, []string{corev1.ClusterIPNone}
	if got := say(); len(got) > 0 {
		t.Error(got)
	}
}

func TestThePodsOfAnotherControllerForTheSameGatewayAreNotSelected(t *testing.T) {
	objects, err := Objects(world(t, "testdata/waypoint.in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := labels.Set{"gateway.networking.k8s.io/gateway-name": "waypoint", "gateway.networking.k8s.io/gateway-class-name": "istio-waypoint"}
	old := labels.Set{"gateway.networking.k8s.io/gateway-name": "waypoint", "gateway.networking.k8s.io/gateway-class-name": "wasmpoint", LabelManagedBy: ManagedBy}
	selectors := 0
	for _, o := range objects {
		for _, path := range [][]string{
			{"spec", "selector"}, {"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"},
		} {
			pick, found, err := unstructured.NestedStringMap(o.Object, path...)
			if err != nil || !found {
				continue
			}
			selectors++
			if s := labels.SelectorFromSet(pick); s.Matches(theirs) || s.Matches(old) || !s.Matches(labels.Set(o.GetLabels())) {
				t.Errorf("%s selects %v", o.GetKind(), pick)
			}
		}
	}
	if selectors != 4 { // Service, Deployment, PodDisruptionBudget, NetworkPolicy
		t.Errorf("%d selectors were looked at", selectors)
	}
}

func TestTheServiceOpensThePortsThatAreServed(t *testing.T) {
	open := func(listeners ...gatewayv1.Listener) string {
		in := world(t, "testdata/ingress.in.yaml")
		in.Gateway.Spec.Listeners = listeners
		objects, err := Objects(in)
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := unstructured.NestedSlice(objects[2].Object, "spec", "ports")
		if err != nil || objects[2].GetKind() != "Service" {
			t.Fatal(objects[2], err)
		}
		var out []string
		for _, p := range list {
			out = append(out, fmt.Sprint(p.(map[string]any)["name"]))
		}
		return strings.Join(out, " ")
	}
	listener := func(port int32, protocol gatewayv1.ProtocolType) gatewayv1.Listener {
		return gatewayv1.Listener{Port: port, Protocol: protocol}
	}
	for _, c := range []struct {
		listeners []gatewayv1.Listener
		want      string
	}{
		{[]gatewayv1.Listener{listener(443, "HTTPS"), listener(80, "HTTP"), listener(80, "HTTP")}, "http-80 https-443"},
		{[]gatewayv1.Listener{listener(80, "HTTP"), listener(3306, "TCP"), listener(ReadyPort, "HTTP"), listener(AdminPort, "HTTP")}, "http-80"},
		{[]gatewayv1.Listener{listener(3306, "TCP")}, "port-3306"}, // nobody answers there, but the address stays
	} {
		if got := open(c.listeners...); got != c.want {
			t.Errorf("listeners %+v open %s, want %s", c.listeners, got, c.want)
		}
	}
}

func TestAWaypointIsNotBehindItself(t *testing.T) {
	in := world(t, "testdata/waypoint.in.yaml")
	// What the owner says of all objects is meant for the Pods and says nothing of this Service.
	in.Gateway.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{Labels: map[gatewayv1.LabelKey]gatewayv1.LabelValue{extv1.LabelUseWaypoint: "waypoint"}}
	objects, err := Objects(in)
	if err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[2].Object, service); err != nil {
		t.Fatal(err)
	}
	s := store.New()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{extv1.LabelUseWaypoint: "waypoint"}}}
	for _, o := range []any{in.Gateway, namespace, service} {
		if _, _, err := s.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	if b := (attach.Rules{View: s}).Binding(model.ServiceKey{Kind: "Service", Namespace: "shop", Name: service.Name}); b.Bound() {
		t.Errorf("the waypoint's own Service uses %s", b.Waypoint)
	}
}
