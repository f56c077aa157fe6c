package provision

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// parameters are what a ConfigMap can set.
type parameters struct {
	replicas     *int32
	image        string
	pullSecrets  []corev1.LocalObjectReference
	resources    corev1.ResourceRequirements
	minAvailable *intstr.IntOrString
	serviceType  corev1.ServiceType
	drainSeconds int64
	logLevel     string
	concurrency  int64
	nodeSelector map[string]string
	tolerations  []corev1.Toleration
}

// key is one key of a ConfigMap with parameters. set gives what is wrong with a value, and what is right.
type key struct {
	name string
	set  func(p *parameters, waypoint bool, value string) error
}

// keys is the list of all that can be set; README.md documents it.
var keys = []key{
	{"concurrency", func(p *parameters, _ bool, v string) (err error) {
		p.concurrency, err = number(v, 1, 1024)
		return err
	}},
	{"drainSeconds", func(p *parameters, _ bool, v string) (err error) {
		p.drainSeconds, err = number(v, 0, 3600)
		return err
	}},
	{"image", func(p *parameters, _ bool, v string) error {
		if v == "" || strings.ContainsAny(v, " \t\n") {
			return fmt.Errorf("name an image of Envoy 1.39 or later")
		}
		p.image = v
		return nil
	}},
	{"imagePullSecrets", func(p *parameters, _ bool, v string) error {
		p.pullSecrets = nil
		for name := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
			p.pullSecrets = append(p.pullSecrets, corev1.LocalObjectReference{Name: name})
		}
		return nil
	}},
	{"logLevel", func(p *parameters, _ bool, v string) error {
		if !slices.Contains([]string{"trace", "debug", "info", "warning", "error", "critical", "off"}, v) {
			return fmt.Errorf("use trace, debug, info, warning, error, critical or off")
		}
		p.logLevel = v
		return nil
	}},
	{"minAvailable", func(p *parameters, _ bool, v string) error {
		value := intstr.Parse(v)
		digits, _ := strings.CutSuffix(v, "%")
		if n, err := number(digits, 0, 10000); err != nil || value.Type == intstr.String && n > 100 {
			return fmt.Errorf("use a whole number such as 1, or a percentage such as 50%%")
		}
		p.minAvailable = &value
		return nil
	}},
	{"nodeSelector", func(p *parameters, _ bool, v string) error {
		p.nodeSelector = nil
		return fromYAML(v, &p.nodeSelector, "labels of nodes in YAML, such as {kubernetes.io/arch: amd64}")
	}},
	{"replicas", func(p *parameters, _ bool, v string) error {
		n, err := number(v, 0, 10000)
		count := int32(n)
		p.replicas = &count
		return err
	}},
	{"resources", func(p *parameters, _ bool, v string) error {
		p.resources = corev1.ResourceRequirements{}
		return fromYAML(v, &p.resources, "a container's resources in YAML, such as {requests: {cpu: 100m}, limits: {memory: 1Gi}}")
	}},
	{"serviceType", func(p *parameters, waypoint bool, v string) error {
		t := corev1.ServiceType(v)
		if waypoint && t != corev1.ServiceTypeClusterIP {
			return fmt.Errorf("use ClusterIP, because this Gateway is a waypoint, or leave it out")
		}
		if t != corev1.ServiceTypeClusterIP && t != corev1.ServiceTypeNodePort && t != corev1.ServiceTypeLoadBalancer {
			return fmt.Errorf("use LoadBalancer, NodePort or ClusterIP")
		}
		p.serviceType = t
		return nil
	}},
	{"tolerations", func(p *parameters, _ bool, v string) error {
		p.tolerations = nil
		return fromYAML(v, &p.tolerations, "a list of tolerations in YAML, such as [{key: edge, operator: Exists}]")
	}},
}

// InvalidParameters says what is wrong in a ConfigMap with parameters, and what to do.
type InvalidParameters struct{ Message string }

func (e *InvalidParameters) Error() string { return e.Message }

// CheckParameters tells what is wrong with a ConfigMap with parameters, nil when nothing is.
func CheckParameters(m *corev1.ConfigMap, waypoint bool) error {
	return (&parameters{}).read(m, waypoint)
}

func (p *parameters) read(m *corev1.ConfigMap, waypoint bool) error {
	if m == nil {
		return nil
	}
	where := "ConfigMap " + m.Namespace + "/" + m.Name
	for _, name := range slices.Sorted(maps.Keys(m.BinaryData)) {
		return &InvalidParameters{fmt.Sprintf("%s: binaryData.%s: parameters are texts; move it to data", where, name)}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Data)) {
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		if i < 0 {
			var known []string
			for _, k := range keys {
				known = append(known, k.name)
			}
			return &InvalidParameters{fmt.Sprintf("%s: data.%s is not known; use %s", where, name, strings.Join(known, ", "))}
		}
		value := strings.TrimSpace(m.Data[name])
		if err := keys[i].set(p, waypoint, value); err != nil {
			return &InvalidParameters{fmt.Sprintf("%s: data.%s: %q: %v", where, name, cut(value), err)}
		}
	}
	return nil
}

// cut bounds what a condition's message repeats.
func cut(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func number(s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("use a whole number between %d and %d", low, high)
	}
	return n, nil
}

func fromYAML(text string, into any, want string) error {
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		text := strings.TrimPrefix(err.Error(), "error unmarshaling JSON: while decoding JSON: ")
		return fmt.Errorf("give %s (%s)", want, strings.TrimPrefix(text, "json: "))
	}
	return nil
}
