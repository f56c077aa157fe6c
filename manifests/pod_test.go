package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wasmpoint/wasmpoint/controllers/cluster"
)

// load reads the configuration as the controller does.
func load(t *testing.T, all []*unstructured.Unstructured) (cluster.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(find[corev1.ConfigMap](t, all, "ConfigMap", "wasmpoint").Data["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cluster.Default()
	if err := c.Load(path); err != nil {
		return c, err
	}
	return c, c.Complete(func(string) string { return "" }, os.Hostname)
}

// renderings are the ways to install.
func renderings(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	return map[string][]*unstructured.Unstructured{
		"install.yaml":                 objects(t, Install),
		"chart":                        helm(t, namespace),
		"chart with every value":       helm(t, namespace, "--values", everyValue),
		"chart with a network policy":  helm(t, namespace, "--values", everyValue, "--set", "networkPolicy.enabled=true"),
		"deploy/controller (no CRDs)":  kustomize(t, "deploy/controller"),
		"chart in another namespace":   helm(t, "elsewhere"),
		"chart without class and CRDs": helm(t, namespace, "--set", "crds.install=false,gatewayClasses.create=false"),
	}
}

func TestTheControllerReadsItsConfiguration(t *testing.T) {
	for how, all := range renderings(t) {
		c, err := load(t, all)
		if err != nil || !strings.HasPrefix(c.Admin.Address, "127.0.0.1:") {
			t.Errorf("%s: admin at %s, error %v", how, c.Admin.Address, err)
		}
	}
}

func TestThePodMountsNothingSecretAndCanChangeNothingButItsData(t *testing.T) {
	for how, all := range renderings(t) {
		pod := find[appsv1.Deployment](t, all, "Deployment", "wasmpoint").Spec.Template.Spec
		var sources []string
		for _, v := range pod.Volumes {
			switch {
			case v.ConfigMap != nil:
				sources = append(sources, "ConfigMap "+v.ConfigMap.Name)
			case v.EmptyDir != nil:
				sources = append(sources, "emptyDir")
			default:
				sources = append(sources, v.Name)
			}
		}
		if got := strings.Join(sources, ", "); got != "ConfigMap wasmpoint, emptyDir" {
			t.Errorf("%s: volumes %s", how, got)
		}
		for _, c := range pod.Containers {
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					t.Errorf("%s: %s comes from a Secret", how, e.Name)
				}
			}
			if !*c.SecurityContext.ReadOnlyRootFilesystem || *pod.SecurityContext.RunAsUser != 65532 {
				t.Errorf("%s: %+v, %+v", how, c.SecurityContext, pod.SecurityContext)
			}
		}
	}
}

// Ports are written in five places.
func TestPortsOfConfigurationPodServicesAndPolicyAgree(t *testing.T) {
	for how, all := range renderings(t) {
		c, err := load(t, all)
		if err != nil {
			t.Fatal(err)
		}
		pod := find[appsv1.Deployment](t, all, "Deployment", "wasmpoint").Spec.Template
		container := map[string]int32{}
		for _, p := range pod.Spec.Containers[0].Ports {
			container[p.Name] = p.ContainerPort
		}
		for name, address := range map[string]string{"xds": c.XDS.Address, "modules": c.Modules.Address, "peers": c.Peers.Address, "metrics": c.Metrics.Address, "health": c.Health.Address} {
			if want := fmt.Sprintf(":%d", container[name]); address != want {
				t.Errorf("%s: %s listens on %s, the container says %s", how, name, address, want)
			}
		}
		served := map[string][]string{"wasmpoint": {"xds", "modules"}, "wasmpoint-peers": {"peers"}}
		for service, names := range served {
			s := find[corev1.Service](t, all, "Service", service)
			var got []string
			for _, p := range s.Spec.Ports {
				got = append(got, p.TargetPort.StrVal)
				if p.Port != container[p.TargetPort.StrVal] {
					t.Errorf("%s: Service %s has %s at %d", how, service, p.Name, p.Port)
				}
			}
			if !slices.Equal(got, names) {
				t.Errorf("%s: Service %s leads to %v", how, service, got)
			}
			for k, v := range s.Spec.Selector {
				if pod.Labels[k] != v {
					t.Errorf("%s: Service %s selects %s=%s", how, service, k, v)
				}
			}
		}
		if pdb := find[policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget", "wasmpoint"); pod.Labels["app.kubernetes.io/name"] != pdb.Spec.Selector.MatchLabels["app.kubernetes.io/name"] {
			t.Errorf("%s: the budget selects %v", how, pdb.Spec.Selector)
		}
	}
}

func TestStrangersReachNeitherPeersNorTheAdminPort(t *testing.T) {
	for how, want := range map[string]string{
		"install.yaml":                "anyone:15010,15011,15021 wasmpoint:15012 any namespace:15014",
		"chart with a network policy": "anyone:15010,15011,15021 wasmpoint:15012 prometheus:15014",
	} {
		policy := find[networkingv1.NetworkPolicy](t, renderings(t)[how], "NetworkPolicy", "wasmpoint")
		var rules []string
		for _, r := range policy.Spec.Ingress {
			from := "anyone"
			if len(r.From) == 1 {
				switch p := r.From[0]; {
				case p.PodSelector != nil && p.NamespaceSelector == nil:
					from = p.PodSelector.MatchLabels["app.kubernetes.io/name"]
				case p.PodSelector != nil:
					from = p.PodSelector.MatchLabels["app"]
				default:
					from = "any namespace"
				}
			}
			var ports []string
			for _, p := range r.Ports {
				ports = append(ports, p.Port.String())
			}
			rules = append(rules, from+":"+strings.Join(ports, ","))
		}
		if got := strings.Join(rules, " "); got != want {
			t.Errorf("%s: %s, want %s", how, got, want)
		}
	}
}
