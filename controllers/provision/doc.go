// Package provision decides which objects a managed Gateway needs so that its proxies run: ServiceAccount, ConfigMap with
// Envoy's bootstrap, Service, Deployment, PodDisruptionBudget, and for a waypoint a NetworkPolicy.
//
// It is pure: the same Gateway, class, parameters and facts of the installation give the same objects, byte for byte.
// controllers/provisioner brings them to the API server.
package provision

import (
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Ports of a proxy's Pod beside those of its listeners.
const (
	// ReadyPort answers /ready, for the kubelet.
	ReadyPort = 15021
	// AdminPort is Envoy's admin endpoint, on the Pod's loopback address alone.
	AdminPort = 15000
	// ProxyPort is where a waypoint takes connections with the PROXY protocol (ambient.istio.io/waypoint-inbound-binding).
	ProxyPort = 15088
	// MeshPort is where ztunnels send traffic for a waypoint (HBONE); the ztunnel of the waypoint's node listens there.
	MeshPort = 15008
)

// The token by which a proxy shows the controller which Pod it is: a file of a projected volume, for bootstrap.TokenAudience.
const (
	TokenDir  = "/var/run/secrets/wasmpoint.dev"
	TokenFile = TokenDir + "/token"
)

// Labels and annotations of what is provisioned.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "wasmpoint"
	// AnnotationApplied is the hash of what was applied, so that nothing is applied twice.
	AnnotationApplied = "wasmpoint.dev/applied"
	// AnnotationBootstrap on Pods is the hash of their bootstrap, so that another one starts other Pods.
	AnnotationBootstrap = "wasmpoint.dev/bootstrap"
)

// Facts are what the installation says: the same for every Gateway.
type Facts struct {
	// Image is the proxy's image, where no parameter names one.
	Image string
	// XDS and Modules are the controller's servers as proxies reach them, host:port.
	XDS, Modules string
	// TLS is how both are spoken to; nil means plain text.
	TLS *bootstrap.TLS
	// DrainKey is the controller's secret from which each Gateway's is made, by which its proxies let themselves be ended
	// (bootstrap.Drain). Nil: they are not told before they are ended.
	DrainKey []byte
}

// Input is what one Gateway's objects depend on.
type Input struct {
	Gateway *gatewayv1.Gateway
	// Waypoint tells that the Gateway takes mesh traffic.
	Waypoint bool
	// Defaults are the parameters of the GatewayClass, Parameters those of the Gateway (spec.infrastructure.parametersRef),
	// which go before. Nil: there are none.
	Defaults, Parameters *corev1.ConfigMap
	Facts                Facts
}

// IsManual tells that somebody else runs the proxies: the Gateway names the Service in front of them by a hostname, as in
// Gateway API's manual deployment.
func IsManual(gw *gatewayv1.Gateway) bool {
	for _, a := range gw.Spec.Addresses {
		if a.Type != nil && *a.Type == gatewayv1.HostnameAddressType && a.Value != "" {
			return true
		}
	}
	return false
}
