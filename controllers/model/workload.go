package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
)

// Side is where in an external proxy a slot stands. Istio's rules for match.mode read it.
type Side string

// The sides. "" is no external proxy.
const (
	// SideGateway is a listener of a gateway, the client's side.
	SideGateway Side = "gateway"
	// SideInbound is a listener for requests to the proxy's own workload, the server's side.
	SideInbound Side = "inbound"
	// SideOutbound is a listener for requests of the proxy's own workload, the client's side.
	SideOutbound Side = "outbound"
)

// Known tells whether there is such a side.
func (s Side) Known() bool { return s == SideGateway || s == SideInbound || s == SideOutbound }

// Workload is external proxies that no rule can tell apart: those of Pods of one namespace with equal labels. Their slots
// have equal content.
type Workload struct {
	// Namespace and Name are what WorkloadName gives.
	Namespace, Name string
	Labels          map[string]string
	// Istio tells that Istio programs the proxies.
	Istio bool
	// Ports are the places that the proxies ask for, by side and number.
	Ports []WorkloadPort
}

// WorkloadPort is a listener of an external proxy, as the names of its slots say it.
type WorkloadPort struct {
	Side Side
	Port int32
	// HTTP and Network tell which kinds of slots are asked for.
	HTTP, Network bool
}

// workloadMark begins the name of every workload; no name of a Kubernetes object has it.
const workloadMark = "~"

// WorkloadName names the external proxies with these labels. It stands where otherwise a Gateway's name stands: as the owner
// of slots and proxies.
func WorkloadName(namespace string, labels map[string]string, istio bool) types.NamespacedName {
	text, _ := json.Marshal(struct { // maps are sorted by their keys; there is nothing in it that could fail
		Labels map[string]string
		Istio  bool
	}{labels, istio})
	sum := sha256.Sum256(text)
	return types.NamespacedName{Namespace: namespace, Name: workloadMark + hex.EncodeToString(sum[:10])}
}

// IsWorkload tells whether a name is of external proxies, and not of a Gateway.
func IsWorkload(name types.NamespacedName) bool { return strings.HasPrefix(name.Name, workloadMark) }

// NamespacedName names the workload.
func (w *Workload) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: w.Name}
}

// IstioPrograms tells by a Pod's labels and annotations whether Istio programs its proxy. Only a Pod that says the contrary and
// has no mark of Istio's injector is not Istio's: else every plugin would run twice.
func IstioPrograms(labels, annotations map[string]string) bool {
	_, injected := annotations[annotationInjected]
	return labels[v1alpha1.LabelProxy] != v1alpha1.ProxyExternal || injected ||
		labels[inject] == "true" || annotations[inject] == "true"
}

// What Istio's injector leaves on a Pod, and what asks it to work.
const (
	annotationInjected = "sidecar.istio.io/status"
	inject             = "sidecar.istio.io/inject"
)

// IstioAnnotations are those that IstioPrograms reads.
var IstioAnnotations = []string{annotationInjected, inject}
