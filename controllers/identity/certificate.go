package identity

import (
	"context"
	"crypto/x509"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

// certificate is the client certificate of a stream, nil without. TLS verified it (pki.Authority.Server).
func certificate(ctx context.Context) *x509.Certificate {
	chain := chainOf(ctx)
	if len(chain) == 0 {
		return nil
	}
	return chain[0]
}

// chainOf is all certificates that a stream's client showed.
func chainOf(ctx context.Context) []*x509.Certificate {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			return info.State.PeerCertificates
		}
	}
	return nil
}

// gatewayOfCertificate is the Gateway that a certificate names.
func gatewayOfCertificate(cert *x509.Certificate) (types.NamespacedName, error) {
	shown := Shown(cert)
	if len(shown) == 1 {
		rest, ok := strings.CutPrefix(shown[0], pki.GatewayURI)
		if namespace, name, two := strings.Cut(rest, "/"); ok && two && namespace != "" && name != "" && !strings.Contains(name, "/") {
			return types.NamespacedName{Namespace: namespace, Name: name}, nil
		}
	}
	return types.NamespacedName{}, refuse("the proxy's certificate is for %q, not for a Gateway; it needs exactly one URI of the form %sNAMESPACE/NAME", shown, pki.GatewayURI)
}

// Shown are the URIs in a certificate: whose it says to be.
func Shown(cert *x509.Certificate) (uris []string) {
	for _, u := range cert.URIs {
		uris = append(uris, u.String())
	}
	return uris
}
