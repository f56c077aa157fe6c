package dataplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const tlsWorld = `
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: wasmpoint
  listeners:
  - {name: a, port: 443, protocol: HTTPS, hostname: a.test, tls: {certificateRefs: [{name: a}]}}
  - {name: wild, port: 443, protocol: HTTPS, hostname: "*.test", tls: {certificateRefs: [{name: wild}]}}
  - {name: broken, port: 443, protocol: HTTPS, hostname: b.test, tls: {certificateRefs: [{name: missing}]}}
---
kind: HTTPRoute
metadata: {name: all, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{name: one, port: 80}]
`

// certificate is a TLS Secret for a name.
func certificate(t *testing.T, secret, host string) *corev1.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{ObjectMeta: meta(secret), Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}}
}

func TestARealEnvoyEndsTLSPerHostname(t *testing.T) {
	w := newWorld(t, tlsWorld)
	w.put(certificate(t, "a", "a.test"))
	w.put(certificate(t, "wild", "*.test"))
	w.service("one", 80, HTTP, backend(t, "one", nil))
	_, resources, ports := w.compile()
	startEnvoy(t, resources)

	for _, c := range []struct {
		name, sni, host, certificate string
		status                       int
	}{
		{name: "a hostname has its own certificate", sni: "a.test", host: "a.test", certificate: "a.test", status: 200},
		{name: "a wildcard serves the others", sni: "c.test", host: "c.test", certificate: "*.test", status: 200},
		{name: "a listener without certificate is not served, its host falls to the wildcard", sni: "b.test", host: "b.test", certificate: "*.test", status: 200},
		{name: "a request for another listener's host is misdirected", sni: "c.test", host: "a.test", certificate: "*.test", status: 421},
		{name: "also from the exact to the wildcard", sni: "a.test", host: "c.test", certificate: "a.test", status: 421},
		{name: "a host of no listener is not found", sni: "a.test", host: "elsewhere", certificate: "a.test", status: 404},
		{name: "a name that no listener serves gets no connection", sni: "elsewhere", host: "elsewhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
				// The certificates sign themselves; which one is served is what the test looks at.
				TLSClientConfig: &tls.Config{ServerName: c.sni, InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
			}}
			r, _ := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+portString(ports[443])+"/", nil)
			r.Host = c.host
			resp, err := client.Do(r)
			if c.status == 0 {
				if err == nil {
					t.Errorf("got %d, want no connection", resp.StatusCode)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if got := resp.TLS.PeerCertificates[0].Subject.CommonName; resp.StatusCode != c.status || got != c.certificate || resp.ProtoMajor != 2 {
				t.Errorf("got %s %d with certificate %s, want HTTP/2 %d with %s", resp.Proto, resp.StatusCode, got, c.status, c.certificate)
			}
		})
	}
}
