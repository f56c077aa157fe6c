package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
)

// ports are those of the Service, each once, sorted.
func (p *plan) ports() []corev1.ServicePort {
	if p.Waypoint {
		return []corev1.ServicePort{
			port("mesh", MeshPort, "hbone"), // the name and protocol are Istio's
			port("proxy", ProxyPort, ""),
		}
	}
	out := p.portsOf(func(l gatewayv1.Listener) bool { return routes.Serves(l.Protocol, l.Port) })
	if len(out) == 0 { // a Service must have one, and whoever mends the listener wants the same address again
		out = p.portsOf(func(gatewayv1.Listener) bool { return true })
	}
	return out
}

// portsOf are the ports of some listeners.
func (p *plan) portsOf(which func(gatewayv1.Listener) bool) (out []corev1.ServicePort) {
	for _, l := range p.Gateway.Spec.Listeners {
		if which(l) && !slices.ContainsFunc(out, func(s corev1.ServicePort) bool { return s.Port == l.Port }) {
			out = append(out, port(fmt.Sprintf("%s-%d", protocolName(l.Protocol), l.Port), l.Port, ""))
		}
	}
	slices.SortFunc(out, func(a, b corev1.ServicePort) int { return cmp.Compare(a.Port, b.Port) })
	return out
}

func protocolName(p gatewayv1.ProtocolType) string {
	if p == gatewayv1.HTTPProtocolType || p == gatewayv1.HTTPSProtocolType {
		return strings.ToLower(string(p))
	}
	return "port"
}

func port(name string, number int32, appProtocol string) corev1.ServicePort {
	s := corev1.ServicePort{Name: name, Port: number, TargetPort: intstr.FromInt32(number), Protocol: corev1.ProtocolTCP}
	if appProtocol != "" {
		s.AppProtocol = &appProtocol
	}
	return s
}

func (p *plan) service() *corev1.Service {
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: p.meta(),
		Spec:       corev1.ServiceSpec{Type: p.serviceType, Selector: p.selector(), Ports: p.ports()},
	}
	if p.Waypoint { // where the whole namespace uses it, it would stand behind itself
		s.Labels[extv1.LabelUseWaypoint] = "none"
	}
	for _, a := range p.Gateway.Spec.Addresses {
		if (a.Type == nil || *a.Type == gatewayv1.IPAddressType) && p.serviceType == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerIP == "" {
			s.Spec.LoadBalancerIP = a.Value // a wish: what came of it stands in the Gateway's status
		}
	}
	return s
}

// disruptionBudget lets one Pod go at a time, or keeps as many as a parameter says.
func (p *plan) disruptionBudget() *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: p.meta(),
		Spec: policyv1.PodDisruptionBudgetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: p.selector()}, MinAvailable: p.minAvailable,
			// A proxy that is not ready serves nobody; it must not keep a node from being emptied.
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		},
	}
	if p.minAvailable == nil {
		b.Spec.MaxUnavailable = ptr.To(intstr.FromInt32(1))
	}
	return b
}

// networkPolicy leaves a waypoint to ztunnels (HBONE) and the kubelet. What speaks to the PROXY port itself could claim any
// source and destination; the Pod's own ztunnel does so inside of the Pod, where no policy is asked.
func (p *plan) networkPolicy() *networkingv1.NetworkPolicy {
	var open []networkingv1.NetworkPolicyPort
	for _, number := range []int32{MeshPort, ReadyPort} {
		open = append(open, networkingv1.NetworkPolicyPort{Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(number))})
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: p.meta(),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: p.selector()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: open}},
		},
	}
}

// Addresses are where a Gateway can be reached through its Service: what the load balancer says, or the cluster's own addresses of
// a Service that asks for none. One that does cannot be reached from where it is wanted before its load balancer is there.
func Addresses(s *corev1.Service) []gatewayv1.GatewayStatusAddress {
	var out []gatewayv1.GatewayStatusAddress
	add := func(kind gatewayv1.AddressType, value string) {
		if value != "" && value != corev1.ClusterIPNone {
			out = append(out, gatewayv1.GatewayStatusAddress{Type: &kind, Value: value})
		}
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		if i.IP != "" {
			add(gatewayv1.IPAddressType, i.IP)
		} else {
			add(gatewayv1.HostnameAddressType, i.Hostname)
		}
	}
	if AwaitsLoadBalancer(s) {
		return nil
	}
	if len(out) > 0 {
		return out
	}
	for _, ip := range s.Spec.ClusterIPs {
		add(gatewayv1.IPAddressType, ip)
	}
	return out
}

// AwaitsLoadBalancer tells that a Service asks for a load balancer and has none yet.
func AwaitsLoadBalancer(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) == 0
}
