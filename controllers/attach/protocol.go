package attach

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

// Protocol is what a Service's port speaks, as far as a proxy cares.
type Protocol string

// The protocols. ProtocolUDP stands for everything that is not carried over TCP: such a port gives no place.
const (
	ProtocolHTTP    Protocol = "HTTP"
	ProtocolHTTP2   Protocol = "HTTP2"
	ProtocolGRPC    Protocol = "GRPC"
	ProtocolGRPCWeb Protocol = "GRPC-Web"
	ProtocolHTTPS   Protocol = "HTTPS"
	ProtocolTLS     Protocol = "TLS"
	ProtocolTCP     Protocol = "TCP"
	ProtocolUDP     Protocol = "UDP"
)

// IsHTTP tells whether a proxy can read requests of this protocol: HTTPS and TLS are closed to it.
func (p Protocol) IsHTTP() bool {
	switch p {
	case ProtocolHTTP, ProtocolHTTP2, ProtocolGRPC, ProtocolGRPCWeb:
		return true
	}
	return false
}

// IsHTTP2 tells whether the backend expects HTTP/2 without TLS. gRPC-Web backends take HTTP/1 as well.
func (p Protocol) IsHTTP2() bool { return p == ProtocolHTTP2 || p == ProtocolGRPC }

// words are the names of protocols in appProtocol, in port names and in ServiceEntries. What is not here is TCP: a
// plugin must never make a protocol hang in which the server speaks first (MySQL, SMTP), so nothing is guessed.
var words = map[string]Protocol{
	"http":  ProtocolHTTP,
	"http2": ProtocolHTTP2, "h2c": ProtocolHTTP2,
	"grpc":     ProtocolGRPC,
	"grpc-web": ProtocolGRPCWeb,
	"https":    ProtocolHTTPS,
	"tls":      ProtocolTLS,
	"tcp":      ProtocolTCP, "mongo": ProtocolTCP, "mysql": ProtocolTCP, "redis": ProtocolTCP,
	"udp": ProtocolUDP,
	// The standard names of Kubernetes (KEP-3726), which only appProtocol can hold.
	"kubernetes.io/h2c": ProtocolHTTP2,
	"kubernetes.io/ws":  ProtocolHTTP,
	"kubernetes.io/wss": ProtocolHTTPS,
}

// ServicePortProtocol reads appProtocol, and without one the port's name ("http-admin" speaks http), as Istio does. An
// appProtocol that is not known means TCP, whatever the name says.
func ServicePortProtocol(port *corev1.ServicePort) Protocol {
	if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
		return ProtocolUDP
	}
	if port.AppProtocol != nil && *port.AppProtocol != "" {
		return overTCP(*port.AppProtocol)
	}
	return overTCP(port.Name)
}

// EntryPortProtocol reads protocol, and without one the port's name like a Service's.
func EntryPortProtocol(port *networkingv1.ServicePort) Protocol {
	if port.Protocol != "" {
		return parseWord(port.Protocol)
	}
	return parseWord(port.Name)
}

// overTCP reads a word on a port that Kubernetes says is TCP; "udp" is only a name there.
func overTCP(word string) Protocol {
	if protocol := parseWord(word); protocol != ProtocolUDP {
		return protocol
	}
	return ProtocolTCP
}

// parseWord looks a whole word up, then "grpc-web" and its suffixes, then what stands before the first hyphen.
func parseWord(word string) Protocol {
	word = strings.ToLower(word)
	if protocol, ok := words[word]; ok {
		return protocol
	}
	if strings.HasPrefix(word, "grpc-web") {
		return ProtocolGRPCWeb
	}
	prefix, _, _ := strings.Cut(word, "-")
	if protocol, ok := words[prefix]; ok {
		return protocol
	}
	return ProtocolTCP
}
