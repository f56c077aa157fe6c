package manifests

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const everyValue = "testdata/every-value.yaml"

func TestHelmHasNothingToCriticise(t *testing.T) {
	for _, args := range [][]string{nil, {"--values", everyValue}} {
		out, err := execute(t, tool(t, "helm"), append([]string{"lint", "--strict", "chart"}, args...)...)
		// Charts that are not published have no icon.
		if text := strings.ReplaceAll(string(out), "[INFO] Chart.yaml: icon is recommended", ""); err != nil || strings.Contains(text, "[INFO]") {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestTheChartRefusesValuesThatItDoesNotKnowOrUnderstand(t *testing.T) {
	for value, want := range map[string]string{
		"replica=3":                            "replica",
		"image.name=x":                         "name",
		"image.digest=latest":                  "digest",
		"config.logLevel=debug":                "logLevel",
		"config.log.level=loud":                "level",
		"config.waitForModule=30":              "waitForModule",
		"config.xds.address=:1":                "xds",
		"config.mirrors.ghcr\\.io=http://x/y":  "mirrors",
		"rbac.secrets[0].namespace=a":          "names",
		"podDisruptionBudget.maxUnavailable=x": "maxUnavailable",
		"resources.limit.memory=1Gi":           "limit",
	} {
		_, err := execute(t, tool(t, "helm"), "template", "wasmpoint", "chart", "--set", value)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: error %v, want one from the schema that names %s", value, err, want)
		}
	}
}

// values is a YAML file as nodes.
func values(t *testing.T, path string) *yaml.Node {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := &yaml.Node{}
	if err := yaml.Unmarshal(content, doc); err != nil {
		t.Fatal(err)
	}
	return doc.Content[0]
}

// walk visits every value, and goes into an object only if the schema lists its keys.
func walk(t *testing.T, node *yaml.Node, schema map[string]any, path string, visit func(path string, key, value *yaml.Node, group bool)) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		below, ok := properties[key.Value].(map[string]any)
		if !ok {
			t.Errorf("%s%s: the schema does not know it", path, key.Value)
			continue
		}
		_, group := below["properties"]
		group = group && len(value.Content) > 0
		visit(path+key.Value, key, value, group)
		if group {
			walk(t, value, below, path+key.Value+".", visit)
		}
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s: the schema takes unknown keys", path)
	}
}

func schema(t *testing.T) map[string]any {
	t.Helper()
	content, err := os.ReadFile("chart/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryValueOfTheChartIsExplainedAndKnownToTheSchema(t *testing.T) {
	n := 0
	walk(t, values(t, "chart/values.yaml"), schema(t), "", func(path string, key, _ *yaml.Node, group bool) {
		n++
		// A group is explained by what is in it.
		if !group && key.HeadComment == "" {
			t.Errorf("%s: no comment says what it is", path)
		}
	})
	if n < 40 {
		t.Errorf("only %d values", n)
	}
}

func TestTheFileWithEveryValueHasEveryValueAndChangesIt(t *testing.T) {
	read := func(path string) map[string]any {
		out := map[string]any{}
		walk(t, values(t, path), schema(t), "", func(path string, _, value *yaml.Node, group bool) {
			if !group {
				var v any
				if err := value.Decode(&v); err != nil {
					t.Fatal(err)
				}
				out[path] = v
			}
		})
		return out
	}
	defaults, every := read("chart/values.yaml"), read(everyValue)
	// config.client has no keys by default, and resources may be changed in part.
	delete(defaults, "config.client")
	for _, path := range slices.Sorted(maps.Keys(defaults)) {
		if v, ok := every[path]; !ok || reflect.DeepEqual(v, defaults[path]) {
			t.Errorf("%s: %s sets it to %v, default %v", path, everyValue, v, defaults[path])
		}
	}
}

func TestEveryValueOfTheChartHasAnEffect(t *testing.T) {
	all := helm(t, "plugins", "--values", everyValue)
	pod := find[appsv1.Deployment](t, all, "Deployment", "wasmpoint").Spec.Template
	c := pod.Spec.Containers[0]
	config := find[corev1.ConfigMap](t, all, "ConfigMap", "wasmpoint").Data["config.yaml"]
	for what, ok := range map[string]bool{
		"image":             c.Image == "registry.test/mirror/wasmpoint@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"pullPolicy":        c.ImagePullPolicy == corev1.PullAlways,
		"pullSecrets":       len(pod.Spec.ImagePullSecrets) == 1,
		"dataSizeLimit":     pod.Spec.Volumes[1].EmptyDir.SizeLimit.String() == "1Gi",
		"podLabels":         pod.Labels["team"] == "platform" && pod.Labels["app.kubernetes.io/name"] == "wasmpoint",
		"podAnnotations":    pod.Annotations["prometheus.io/port"] == "15014",
		"nodeSelector":      len(pod.Spec.NodeSelector) == 1,
		"tolerations":       len(pod.Spec.Tolerations) == 1,
		"affinity":          pod.Spec.Affinity.NodeAffinity != nil && pod.Spec.Affinity.PodAntiAffinity == nil,
		"spread":            len(pod.Spec.TopologySpreadConstraints) == 1,
		"priorityClassName": pod.Spec.PriorityClassName == "system-cluster-critical",
		"env":               slices.Contains(c.Env, corev1.EnvVar{Name: "HTTPS_PROXY", Value: "http://proxy.test:3128"}),
		"resources":         c.Resources.Limits.Memory().String() == "2Gi" && c.Resources.Requests.Cpu().String() == "1",
		"client":            strings.Contains(config, "client:\n  burst: 2000000\n  qps: 12.5\n"),
		"mirrors":           strings.Contains(config, "mirrors:\n  registry.example: mirror.test:5000\n"),
		"provisioning":      strings.Contains(config, "provisioning:\n  enabled: false\n  image: registry.test/mirror/envoy:v1.40.0\n  xdsAddress: controller.test:443\n"),
		"service":           find[corev1.Service](t, all, "Service", "wasmpoint").Annotations["cloud.test/balancer"] == "internal",
		"serviceAccount":    find[corev1.ServiceAccount](t, all, "ServiceAccount", "wasmpoint").Annotations["cloud.test/role"] == "reader",
	} {
		if !ok {
			t.Errorf("%s has no effect:\n%+v\n%s", what, pod, config)
		}
	}
	for _, u := range all {
		if k := u.GetKind(); k == "CustomResourceDefinition" || k == "GatewayClass" || k == "NetworkPolicy" || u.GetName() == "wasmpoint-provision" {
			t.Errorf("%s %s is there though it was turned off", k, u.GetName())
		}
	}
	if image := find[appsv1.Deployment](t, helm(t, "plugins", "--set", "image.tag=v2"), "Deployment", "wasmpoint").Spec.Template.Spec.Containers[0].Image; image != "registry.example/wasmpoint:v2" {
		t.Errorf("image with a tag: %s", image)
	}
}

func TestListedSecretsTakeThePlaceOfTheRuleForAll(t *testing.T) {
	clusterWide := func(all []*unstructured.Unstructured) bool {
		return slices.ContainsFunc(find[rbacv1.ClusterRole](t, all, "ClusterRole", "wasmpoint-read").Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Resources, "secrets")
		})
	}
	if !clusterWide(helm(t, namespace)) {
		t.Error("by default Secrets of all namespaces can be read")
	}
	if clusterWide(helm(t, namespace, "--set", "rbac.allSecrets=false")) {
		t.Error("allSecrets=false leaves the rule in")
	}
	listed := helm(t, namespace, "--set", "rbac.secrets[0].namespace=team-a,rbac.secrets[0].names={one,two}")
	if clusterWide(listed) {
		t.Error("a list of Secrets leaves the rule for all in")
	}
	role, binding := find[rbacv1.Role](t, listed, "Role", "wasmpoint-secrets"), find[rbacv1.RoleBinding](t, listed, "RoleBinding", "wasmpoint-secrets")
	want := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"one", "two"}, Verbs: []string{"get", "watch"}}}
	if role.Namespace != "team-a" || binding.Namespace != "team-a" || !reflect.DeepEqual(role.Rules, want) || binding.Subjects[0].Namespace != namespace {
		t.Errorf("role %+v, binding %+v", role, binding)
	}
}
