package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Authority makes and checks certificates of the CA. All of its methods may be called from any goroutine; TLS
// configurations that it gave out follow the CA when Reload takes another one in.
type Authority struct {
	client    client.Client
	namespace string
	now       func() time.Time
	state     atomic.Pointer[ca]
	// former is the key of modules' addresses before the one in force, nil if there was none.
	former atomic.Pointer[formerKey]

	mu      sync.Mutex
	changed []func()
}

// formerKey is a key that still signs until a moment, and is good after it as well.
type formerKey struct {
	key   []byte
	signs time.Time
}

// New makes an authority from PEM, without a cluster (Reload is of no use then). namespace is the controller's, which
// stands in the names of serving certificates; a nil now is time.Now.
func New(namespace string, certPEM, keyPEM []byte, now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	a := &Authority{namespace: namespace, now: now}
	c, err := readCA(certPEM, keyPEM, now())
	if err != nil {
		return nil, err
	}
	a.state.Store(c)
	return a, nil
}

func (a *Authority) current() *ca { return a.state.Load() }

// CAPEM is the certificates against which our servers are to be verified.
func (a *Authority) CAPEM() []byte { return bytes.Clone(a.current().pem) }

// ServerName is the name by which proxies verify our servers.
func (a *Authority) ServerName() string { return ServerName(a.namespace) }

// Warning says that the CA is to be replaced soon, "" while there is time.
func (a *Authority) Warning() string {
	end := a.current().signer.NotAfter
	if left := end.Sub(a.now()); left < warnBefore {
		return fmt.Sprintf("the CA in Secret %s/%s expires at %s (in %d days); add a new certificate to %s, let everybody read it, then replace %s",
			a.namespace, SecretName, end.UTC().Format(time.RFC3339), int(left.Hours())/24, CertKey, PrivateKey)
	}
	return ""
}

// ModuleKeys are the key that signs the addresses of modules (package modules/seal) and another one that is good as well, nil if
// there is none. All replicas have the same, because they are derived from the CA's private key. They do not read it at the same
// time, so for a while the former key goes on to sign, and the new one is good already. A replica that starts in that time signs
// with the new one.
func (a *Authority) ModuleKeys() (signing, other []byte) {
	key, f := a.current().moduleKey, a.former.Load()
	switch {
	case f == nil:
		return key, nil
	case a.now().Before(f.signs):
		return f.key, key
	}
	return key, f.key
}

// DrainKey is the key of the secrets by which kubelets end proxies (package provision).
func (a *Authority) DrainKey() []byte { return a.current().drainKey }

// OnChange has a function called after each change of the CA.
func (a *Authority) OnChange(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = append(a.changed, f)
}

// CheckClient tells whether the certificates that a client showed, its own first, are good now.
func (a *Authority) CheckClient(chain []*x509.Certificate) error {
	if err := a.current().verify(chain, x509.ExtKeyUsageClientAuth, a.now()); err != nil {
		return fmt.Errorf("the client's certificate is not one of this controller's CA: %w", err)
	}
	return nil
}

// Server is the configuration of our xDS and module servers: TLS 1.2 or later, HTTP/2 and HTTP/1.1, with a certificate
// that renews itself. names (host names or addresses) stand in it beside those of our Services. A client may show a
// certificate, which then must be one of the CA for clients.
func (a *Authority) Server(names ...string) (*tls.Config, error) {
	l, err := a.newLeaf(append(serverNames(a.namespace), names...), "", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.get() },
		// tls.VerifyClientCertIfGiven, but for the CA that is in force at that moment.
		ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			return a.CheckClient(s.PeerCertificates)
		},
	}, nil
}

// Peer is the two sides of a connection between replicas: both show a certificate with ReplicaURI and refuse everybody who
// does not. Replicas connect to addresses of Pods, so no host name is looked at.
func (a *Authority) Peer() (server, client *tls.Config, err error) {
	l, err := a.newLeaf(serverNames(a.namespace), ReplicaURI, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, nil, err
	}
	server = &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.get() },
		// The chain is verified below, where the CA in force is known.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error { return a.checkReplica(s, x509.ExtKeyUsageClientAuth) },
	}
	client = &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return l.get()
		},
		// This turns off the check of the host name, and with it all others; VerifyConnection does them.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return a.checkReplica(s, x509.ExtKeyUsageServerAuth) },
	}
	return server, client, nil
}

// checkReplica refuses whoever is not a replica of this CA.
func (a *Authority) checkReplica(s tls.ConnectionState, use x509.ExtKeyUsage) error {
	if err := a.current().verify(s.PeerCertificates, use, a.now()); err != nil {
		return fmt.Errorf("the peer is not a replica of this controller: %w", err)
	}
	var shown []string
	for _, u := range s.PeerCertificates[0].URIs {
		shown = append(shown, u.String())
	}
	if len(shown) != 1 || shown[0] != ReplicaURI {
		return fmt.Errorf("the peer is not a replica of this controller: its certificate is for [%s], not for %s", strings.Join(shown, " "), ReplicaURI)
	}
	return nil
}
