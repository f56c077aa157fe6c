package attach

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// Port is one port of a Service or ServiceEntry, with the protocol that the rules read from it.
type Port struct {
	Number   int32
	Name     string
	Protocol Protocol
}

// service is what the rules need of a Service or ServiceEntry.
type service struct {
	key    model.ServiceKey
	labels map[string]string
	ports  []Port
	// external is a Service of type ExternalName: a name in DNS, to which no connection goes.
	external bool
	// headless is a Service without an address of its own.
	headless bool
	// private is a ServiceEntry that only its own namespace sees.
	private bool
}

func (r Rules) service(key model.ServiceKey) *service {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	switch key.Kind {
	case kindService:
		if s := r.Service(name); s != nil {
			return &service{
				key: key, labels: s.Labels, ports: ServicePorts(s), external: s.Spec.Type == corev1.ServiceTypeExternalName,
				headless: s.Spec.ClusterIP == corev1.ClusterIPNone,
			}
		}
	case kindServiceEntry:
		if e := r.ServiceEntry(name); e != nil {
			return &service{key: key, labels: e.Labels, ports: EntryPorts(e), private: isPrivate(e)}
		}
	}
	return nil
}

// ServicePorts are the ports of a Service that are carried over TCP, by number; of two with one number the first counts.
func ServicePorts(s *corev1.Service) []Port {
	var ports []Port
	for i := range s.Spec.Ports {
		port := &s.Spec.Ports[i]
		ports = append(ports, Port{port.Port, port.Name, ServicePortProtocol(port)})
	}
	return tidyPorts(ports)
}

// EntryPorts are the ports of a ServiceEntry that are carried over TCP, by number; of two with one number the first
// counts.
func EntryPorts(e *networkingv1.ServiceEntry) []Port {
	var ports []Port
	for i := range e.Spec.Ports {
		port := &e.Spec.Ports[i]
		ports = append(ports, Port{int32(port.Number), port.Name, EntryPortProtocol(port)})
	}
	return tidyPorts(ports)
}

func tidyPorts(ports []Port) []Port {
	ports = slices.DeleteFunc(ports, func(p Port) bool { return p.Protocol == ProtocolUDP })
	slices.SortStableFunc(ports, func(a, b Port) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(ports, func(a, b Port) bool { return a.Number == b.Number })
}

// isPrivate tells whether exportTo leaves only the ServiceEntry's own namespace; without exportTo everybody sees it.
func isPrivate(e *networkingv1.ServiceEntry) bool {
	for _, to := range e.Spec.ExportTo {
		if to != "." && to != "~" && to != e.Namespace {
			return false
		}
	}
	return len(e.Spec.ExportTo) > 0
}

// compareServices orders keys by namespace, name, kind.
func compareServices(a, b model.ServiceKey) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}
