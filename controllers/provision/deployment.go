package provision

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

const (
	// container is the name of Envoy's container.
	container = "envoy"
	// bootstrapFile is a key of the ConfigMap; by its end Envoy knows the format.
	bootstrapFile = "bootstrap.json"
	bootstrapDir  = "/etc/wasmpoint"
	// user is a number that owns nothing in the image, nor on the node.
	user = 65532
	// endSeconds is what Envoy gets to end by itself after the drain.
	endSeconds = 15
	// startSeconds is how long a proxy may wait for its first configuration and the modules in it before it is started
	// anew: it must not serve without them, and a new start helps only against a fault of its own.
	startSeconds = 600
)

// usual are the resources where no parameter says otherwise.
var usual = corev1.ResourceRequirements{
	Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
	Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
}

func (p *plan) deployment() *appsv1.Deployment {
	pod := p.meta()
	pod.Name, pod.Namespace, pod.OwnerReferences = "", "", nil
	pod.Annotations[AnnotationBootstrap] = hash(p.bootstrap)
	p.mesh(pod.Labels)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: p.meta(),
		Spec: appsv1.DeploymentSpec{
			Replicas: p.replicas, // without a number, an autoscaler or kubectl scale decides
			Selector: &metav1.LabelSelector{MatchLabels: p.selector()},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromString("25%")),
				},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: pod, Spec: p.pod()},
		},
	}
}

// mesh says to Istio, if it is there, that no sidecar is wanted, and that ztunnel takes a waypoint's HBONE in. The owner's
// labels go before.
func (p *plan) mesh(labels map[string]string) {
	wanted := map[string]string{"sidecar.istio.io/inject": "false"}
	if p.Waypoint {
		wanted["istio.io/dataplane-mode"] = "ambient"
	}
	for k, v := range wanted {
		if _, has := labels[k]; !has {
			labels[k] = v
		}
	}
}

func (p *plan) pod() corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:           p.name,
		AutomountServiceAccountToken: ptr.To(false),
		EnableServiceLinks:           ptr.To(false),
		ImagePullSecrets:             p.pullSecrets,
		NodeSelector:                 p.nodeSelector,
		Tolerations:                  p.tolerations,
		// The pause before the end, and what Envoy needs after it.
		TerminationGracePeriodSeconds: ptr.To(p.drainSeconds + endSeconds),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](user), RunAsGroup: ptr.To[int64](user), FSGroup: ptr.To[int64](user),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			// Listeners on 80 and 443 without a capability; the sysctl is on Kubernetes' list of safe ones.
			Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}},
		},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: p.selector()},
		}},
		Containers: []corev1.Container{p.envoyContainer()},
		Volumes: []corev1.Volume{
			{Name: "bootstrap", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: p.name},
			}}},
			{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: bootstrap.TokenAudience, Path: "token", ExpirationSeconds: ptr.To[int64](3600),
				}}},
			}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}
}

func (p *plan) envoyContainer() corev1.Container {
	c := corev1.Container{
		Name: container, Image: p.image, Resources: p.resources,
		Command: []string{"/usr/local/bin/envoy"},
		Args: []string{
			"--config-path", bootstrapDir + "/" + bootstrapFile, "--service-node", "$(POD_NAME)",
			"--disable-hot-restart", "--log-level", p.logLevel,
			// Without a number Envoy starts a worker for each CPU of the node, whatever the Pod's share of them, and each worker
			// has its own of every plugin's VMs.
			"--concurrency", strconv.FormatInt(p.concurrency, 10),
			// Once it drains, every answer says that its connection ends; the listeners stay open to the end. The time is also that of
			// a listener that changes or goes while the proxy goes on: Envoy's default, or long streams would be cut.
			"--drain-strategy", "immediate", "--drain-time-s", strconv.FormatInt(max(600, p.drainSeconds+endSeconds), 10),
		},
		Env: []corev1.EnvVar{{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"},
		}}},
		Ports: []corev1.ContainerPort{{Name: "ready", ContainerPort: ReadyPort, Protocol: corev1.ProtocolTCP}},
		StartupProbe: &corev1.Probe{
			ProbeHandler: ready, PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: startSeconds,
		},
		ReadinessProbe: &corev1.Probe{ProbeHandler: ready, PeriodSeconds: 5, TimeoutSeconds: 2, FailureThreshold: 2},
		LivenessProbe:  &corev1.Probe{ProbeHandler: ready, PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 6},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "bootstrap", MountPath: bootstrapDir, ReadOnly: true},
			{Name: "token", MountPath: TokenDir, ReadOnly: true},
			{Name: "tmp", MountPath: "/tmp"},
		},
	}
	// While the Pod ends, its endpoints are taken out everywhere; until then it goes on serving. The kubelet asks it to drain,
	// and waits for the answer.
	if drain := p.drain(); drain != nil {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: drain.Path(), Port: intstr.FromString("ready"), Scheme: corev1.URISchemeHTTP,
		}}}
	} else if p.drainSeconds > 0 {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: p.drainSeconds}}}
	}
	for _, at := range p.ports() {
		if at.Port != MeshPort { // the node's ztunnel listens there, inside the Pod's network
			c.Ports = append(c.Ports, corev1.ContainerPort{Name: fmt.Sprintf("port-%d", at.Port), ContainerPort: at.Port, Protocol: corev1.ProtocolTCP})
		}
	}
	return c
}

// ready asks the static listener of the bootstrap, which passes /ready on to the admin endpoint.
var ready = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
	Path: "/ready", Port: intstr.FromString("ready"), Scheme: corev1.URISchemeHTTP,
}}
