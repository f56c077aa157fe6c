package attach

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
)

func TestAServicePortSpeaksWhatAppProtocolSaysElseItsNamePrefix(t *testing.T) {
	for _, c := range []struct {
		why, app, name string
		transport      corev1.Protocol
		want           Protocol
	}{
		{"plain name", "", "http", "", ProtocolHTTP},
		{"name with suffix", "", "http-admin", corev1.ProtocolTCP, ProtocolHTTP},
		{"http2 is not cut to http", "", "http2-api", "", ProtocolHTTP2},
		{"h2c", "", "h2c", "", ProtocolHTTP2},
		{"grpc", "", "grpc-api", "", ProtocolGRPC},
		{"grpc-web holds a hyphen itself", "", "grpc-web", "", ProtocolGRPCWeb},
		{"grpc-web with suffix", "", "grpc-web-ui", "", ProtocolGRPCWeb},
		{"https is not read", "", "https", "", ProtocolHTTPS},
		{"tls", "", "tls-mail", "", ProtocolTLS},
		{"tcp", "", "tcp-db", "", ProtocolTCP},
		{"server-first protocols are TCP", "", "mysql", "", ProtocolTCP},
		{"a name that says nothing is TCP", "", "web", "", ProtocolTCP},
		{"no name is TCP", "", "", "", ProtocolTCP},
		{"a prefix needs its hyphen", "", "httpfoo", "", ProtocolTCP},
		{"appProtocol wins over the name", "tcp", "http", "", ProtocolTCP},
		{"appProtocol in any case", "HTTP2", "tcp", "", ProtocolHTTP2},
		{"an unknown appProtocol is TCP whatever the name", "example.com/x", "http", "", ProtocolTCP},
		{"an empty appProtocol is none", "", "http", "", ProtocolHTTP},
		{"Kubernetes' h2c", "kubernetes.io/h2c", "", "", ProtocolHTTP2},
		{"Kubernetes' WebSocket", "kubernetes.io/ws", "", "", ProtocolHTTP},
		{"Kubernetes' WebSocket over TLS", "kubernetes.io/wss", "", "", ProtocolHTTPS},
		{"UDP stays UDP", "http", "http", corev1.ProtocolUDP, ProtocolUDP},
		{"SCTP gives no place either", "", "http", corev1.ProtocolSCTP, ProtocolUDP},
		{"a TCP port named udp is TCP", "", "udp-x", corev1.ProtocolTCP, ProtocolTCP},
	} {
		port := &corev1.ServicePort{Name: c.name, Protocol: c.transport, AppProtocol: &c.app}
		if got := ServicePortProtocol(port); got != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
	if got := ServicePortProtocol(&corev1.ServicePort{Name: "http"}); got != ProtocolHTTP {
		t.Errorf("without appProtocol: got %s", got)
	}
}

func TestAServiceEntryPortSpeaksItsProtocolElseItsNamePrefix(t *testing.T) {
	for _, c := range []struct {
		protocol, name string
		want           Protocol
	}{
		{"HTTP", "x", ProtocolHTTP}, {"GRPC-Web", "x", ProtocolGRPCWeb}, {"TLS", "http", ProtocolTLS},
		{"MONGO", "http", ProtocolTCP}, {"weird", "http", ProtocolTCP}, {"UDP", "x", ProtocolUDP},
		{"", "http-api", ProtocolHTTP}, {"", "x", ProtocolTCP},
	} {
		if got := EntryPortProtocol(&networkingv1.ServicePort{Protocol: c.protocol, Name: c.name}); got != c.want {
			t.Errorf("%q %q: got %s, want %s", c.protocol, c.name, got, c.want)
		}
	}
}

func TestOnlyProtocolsWhoseRequestsAProxyCanReadAreHTTP(t *testing.T) {
	for protocol, want := range map[Protocol]bool{
		ProtocolHTTP: true, ProtocolHTTP2: true, ProtocolGRPC: true, ProtocolGRPCWeb: true,
		ProtocolHTTPS: false, ProtocolTLS: false, ProtocolTCP: false, ProtocolUDP: false,
	} {
		if protocol.IsHTTP() != want {
			t.Errorf("%s: IsHTTP is %v", protocol, !want)
		}
	}
}
