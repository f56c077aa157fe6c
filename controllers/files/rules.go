package files

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

// The rules here are those of an API server that the Go types cannot hold: what is required, and which words an
// enumeration has. They also fill in what an API server would.

// problems collects what the rules of a kind find.
type problems []fault

func (p *problems) add(path, format string, a ...any) {
	*p = append(*p, fault{path: path, problem: fmt.Sprintf(format, a...)})
}

// need complains about an empty value.
func (p *problems) need(path, value, what string) {
	if value == "" {
		p.add(path, "is missing; %s", what)
	}
}

// oneOf complains about a value that is neither empty nor in the list.
func (p *problems) oneOf(path, value string, words ...string) {
	if value != "" && !slices.Contains(words, value) {
		p.add(path, "%q is not supported; use one of %s", value, strings.Join(words, ", "))
	}
}

func (p *problems) port(path string, number int64) {
	if number < 1 || number > 65535 {
		p.add(path, "%d is not a port; use 1 to 65535", number)
	}
}

func at(format string, a ...any) string { return fmt.Sprintf(format, a...) }

func serviceRules(o metav1.Object, bad *problems) {
	s := o.(*corev1.Service)
	bad.oneOf("spec.type", string(s.Spec.Type), "ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		bad.need("spec.externalName", s.Spec.ExternalName, "name the host that the Service stands for")
	}
	if ip := s.Spec.ClusterIP; ip != "" && ip != corev1.ClusterIPNone {
		if _, err := netip.ParseAddr(ip); err != nil {
			bad.add("spec.clusterIP", "%q is not an IP address; write one, or None, or leave it out", ip)
		}
	}
	names, numbers := map[string]bool{}, map[string]bool{}
	for i := range s.Spec.Ports {
		port, path := &s.Spec.Ports[i], at("spec.ports[%d]", i)
		bad.port(path+".port", int64(port.Port))
		bad.oneOf(path+".protocol", string(port.Protocol), "TCP", "UDP", "SCTP")
		if port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
		if port.TargetPort == (intstr.IntOrString{}) {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
		if port.Name == "" && len(s.Spec.Ports) > 1 {
			bad.add(path+".name", "is missing; give every port a name when there are several")
		}
		if port.Name != "" && names[port.Name] {
			bad.add(path+".name", "%q stands twice; give every port its own name", port.Name)
		}
		number := at("%d/%s", port.Port, port.Protocol)
		if numbers[number] {
			bad.add(path+".port", "%s stands twice; remove one", number)
		}
		names[port.Name], numbers[number] = true, true
	}
}

func secretRules(o metav1.Object, bad *problems) {
	s := o.(*corev1.Secret)
	for k, v := range s.StringData {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
	need := map[corev1.SecretType][]string{
		corev1.SecretTypeTLS:              {corev1.TLSCertKey, corev1.TLSPrivateKeyKey},
		corev1.SecretTypeDockerConfigJson: {corev1.DockerConfigJsonKey},
	}
	for _, k := range need[s.Type] {
		if _, ok := s.Data[k]; !ok {
			bad.add("data["+k+"]", "is missing; a Secret of type %s needs it", s.Type)
		}
	}
}

func sliceRules(o metav1.Object, bad *problems) {
	s := o.(*discoveryv1.EndpointSlice)
	bad.need("addressType", string(s.AddressType), "write IPv4, IPv6 or FQDN")
	bad.oneOf("addressType", string(s.AddressType), "IPv4", "IPv6", "FQDN")
	for i, e := range s.Endpoints {
		if len(e.Addresses) == 0 {
			bad.add(at("endpoints[%d].addresses", i), "is missing; write the endpoint's address")
		}
		for j, a := range e.Addresses {
			ip, err := netip.ParseAddr(a)
			if s.AddressType == discoveryv1.AddressTypeIPv4 && (err != nil || !ip.Is4()) ||
				s.AddressType == discoveryv1.AddressTypeIPv6 && (err != nil || !ip.Is6()) {
				bad.add(at("endpoints[%d].addresses[%d]", i, j), "%q is not an %s address; correct it or addressType", a, s.AddressType)
			}
		}
	}
	for i, port := range s.Ports {
		if port.Port != nil {
			bad.port(at("ports[%d].port", i), int64(*port.Port))
		}
	}
}

func entryRules(o metav1.Object, bad *problems) {
	s := o.(*networkingv1.ServiceEntry)
	if len(s.Spec.Hosts) == 0 {
		bad.add("spec.hosts", "is missing; write at least one DNS name")
	}
	bad.oneOf("spec.location", string(s.Spec.Location), "MESH_EXTERNAL", "MESH_INTERNAL")
	bad.oneOf("spec.resolution", string(s.Spec.Resolution), "NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS")
	names, numbers := map[string]bool{}, map[uint32]bool{}
	for i, port := range s.Spec.Ports {
		path := at("spec.ports[%d]", i)
		bad.port(path+".number", int64(port.Number))
		bad.need(path+".name", port.Name, "give the port a name")
		if port.Name != "" && names[port.Name] {
			bad.add(path+".name", "%q stands twice; give every port its own name", port.Name)
		}
		if numbers[port.Number] {
			bad.add(path+".number", "%d stands twice; remove one", port.Number)
		}
		names[port.Name], numbers[port.Number] = true, true
	}
	if len(s.Spec.Endpoints) > 0 && s.Spec.WorkloadSelector != nil {
		bad.add("spec.endpoints", "stands beside workloadSelector; remove one of the two")
	}
}
