package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ServiceEntry is a service that Kubernetes has no Service for.
//
// +kubebuilder:object:root=true
type ServiceEntry struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the user wrote.
	Spec ServiceEntrySpec `json:"spec,omitempty"`
	// Status is written by Istio.
	Status ServiceEntryStatus `json:"status,omitempty,omitzero"`
}

// ServiceEntryList is a list of ServiceEntries.
//
// +kubebuilder:object:root=true
type ServiceEntryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceEntry `json:"items"`
}

// Location says whether the service is part of the mesh. Empty means MESH_EXTERNAL.
type Location string

// The locations.
const (
	LocationMeshExternal Location = "MESH_EXTERNAL"
	LocationMeshInternal Location = "MESH_INTERNAL"
)

// Resolution says how the endpoints' addresses are found. Empty means NONE.
type Resolution string

// The resolutions.
const (
	// ResolutionNone sends a connection to the address that the client asked for.
	ResolutionNone Resolution = "NONE"
	// ResolutionStatic uses the endpoints' addresses as they stand.
	ResolutionStatic Resolution = "STATIC"
	// ResolutionDNS resolves the endpoints' names, or the hosts if there are no endpoints.
	ResolutionDNS Resolution = "DNS"
	// ResolutionDNSRoundRobin is DNS with only the first address in use.
	ResolutionDNSRoundRobin Resolution = "DNS_ROUND_ROBIN"
	// ResolutionDynamicDNS resolves the name that the client asked for (wildcard hosts).
	ResolutionDynamicDNS Resolution = "DYNAMIC_DNS"
)

// ServiceEntrySpec is the wanted state of a ServiceEntry.
type ServiceEntrySpec struct {
	// Hosts are the DNS names of the service.
	Hosts []string `json:"hosts"`
	// Addresses are virtual addresses of the service, or CIDR ranges.
	Addresses []string `json:"addresses,omitempty"`
	// Ports of the service.
	Ports []ServicePort `json:"ports,omitempty"`
	// Location says whether the service is part of the mesh.
	Location Location `json:"location,omitempty"`
	// Resolution says how the endpoints' addresses are found.
	Resolution Resolution `json:"resolution,omitempty"`
	// Endpoints are the places where the service runs; not together with WorkloadSelector.
	Endpoints []WorkloadEntry `json:"endpoints,omitempty"`
	// WorkloadSelector picks pods and WorkloadEntries as endpoints, by label.
	WorkloadSelector *WorkloadSelector `json:"workloadSelector,omitempty"`
	// ExportTo lists the namespaces that see the service; "." is the own one and "*" is all.
	ExportTo []string `json:"exportTo,omitempty"`
	// SubjectAltNames are what the server's certificate must hold one of.
	SubjectAltNames []string `json:"subjectAltNames,omitempty"`
}

// ServicePort is one port of a ServiceEntry.
type ServicePort struct {
	// Number of the port, 1 to 65535.
	Number uint32 `json:"number"`
	// Protocol is HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS, in any case; other words mean TCP.
	Protocol string `json:"protocol,omitempty"`
	// Name of the port, unique in the ServiceEntry.
	Name string `json:"name"`
	// TargetPort is the endpoints' port; 0 means Number.
	TargetPort uint32 `json:"targetPort,omitempty"`
}

// WorkloadSelector picks workloads by label.
type WorkloadSelector struct {
	// Labels must all stand on the workload.
	Labels map[string]string `json:"labels,omitempty"`
}

// WorkloadEntry is one endpoint of a ServiceEntry.
type WorkloadEntry struct {
	// Address is an IP address, a DNS name, or unix:// and a path.
	Address string `json:"address,omitempty"`
	// Ports maps names of the service's ports to the endpoint's port numbers.
	Ports map[string]uint32 `json:"ports,omitempty"`
	// Labels of the endpoint.
	Labels map[string]string `json:"labels,omitempty"`
	// Network groups endpoints that reach each other directly.
	Network string `json:"network,omitempty"`
	// Locality is region/zone/subzone.
	Locality string `json:"locality,omitempty"`
	// Weight is the endpoint's share of the load; 0 means 1.
	Weight uint32 `json:"weight,omitempty"`
	// ServiceAccount of the workload.
	ServiceAccount string `json:"serviceAccount,omitempty"`
}
