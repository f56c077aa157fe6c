package bootstrap

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// TLS is how a proxy verifies its controller, and, outside of a cluster, shows who it is.
type TLS struct {
	// CA is the PEM of the certificates that are trusted, written into the bootstrap; CAFile is a file with them, which
	// Envoy reads once, when it starts. Exactly one is set.
	CA     []byte
	CAFile string
	// Name is the DNS name that must stand in the server's certificate, whatever address it was reached by.
	Name string
	// CertFile and KeyFile are a certificate of the controller's CA that names the proxy's Gateway, and its key, in PEM form; "" in
	// a Pod, which has a token. Envoy reads them once, when it starts.
	CertFile, KeyFile string
}

// socket is the transport socket of a cluster. The protocol is named in the handshake, because gRPC servers insist on it.
func (t *TLS) socket(http2 bool) (*corev3.TransportSocket, error) {
	if t.Name == "" {
		return nil, fmt.Errorf("bootstrap: TLS.Name is empty; without the name of the server, everybody with a certificate of the CA would pass for the controller")
	}
	if (len(t.CA) == 0) == (t.CAFile == "") {
		return nil, fmt.Errorf("bootstrap: exactly one of TLS.CA and TLS.CAFile must be set")
	}
	trusted := file(t.CAFile)
	if t.CAFile == "" {
		if err := checkPEM(t.CA); err != nil {
			return nil, err
		}
		trusted.Specifier = &corev3.DataSource_InlineString{InlineString: string(t.CA)}
	}
	protocol := "http/1.1"
	if http2 {
		protocol = "h2"
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, fmt.Errorf("bootstrap: TLS.CertFile %q and TLS.KeyFile %q: one does nothing without the other; name both files", t.CertFile, t.KeyFile)
	}
	var own []*tlsv3.TlsCertificate
	if t.CertFile != "" {
		own = append(own, &tlsv3.TlsCertificate{CertificateChain: file(t.CertFile), PrivateKey: file(t.KeyFile)})
	}
	config, err := anypb.New(&tlsv3.UpstreamTlsContext{
		Sni: t.Name,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:       &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
			AlpnProtocols:   []string{protocol},
			TlsCertificates: own,
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
				TrustedCa: trusted,
				MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
					SanType: tlsv3.SubjectAltNameMatcher_DNS,
					Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.Name}},
				}},
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("bootstrap: TLS: %w", err)
	}
	return &corev3.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}, nil
}

func file(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}

// checkPEM finds what Envoy would refuse, before a proxy starts with it.
func checkPEM(ca []byte) error {
	n := 0
	rest := ca
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("bootstrap: TLS.CA holds a PEM block %q; a bootstrap is no place for anything but certificates", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("bootstrap: TLS.CA: certificate %d is broken: %w", n+1, err)
		}
		n++
	}
	if n == 0 || strings.TrimSpace(string(rest)) != "" {
		return fmt.Errorf("bootstrap: TLS.CA must be certificates in PEM form, and nothing else; found %d certificates and %d further bytes", n, len(rest))
	}
	return nil
}
