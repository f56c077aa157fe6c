package controller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

// clientCertificate makes a certificate of the controller's CA for one URI, as the README of package pki shows.
func (w *world) clientCertificate(uri string, until time.Time) tls.Certificate {
	w.t.Helper()
	var secret corev1.Secret
	if err := w.Client().Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: pki.SecretName}, &secret); err != nil {
		w.t.Fatal(err)
	}
	issuer, err := tls.X509KeyPair(secret.Data[pki.CertKey], secret.Data[pki.PrivateKey])
	if err != nil {
		w.t.Fatal(err)
	}
	return issue(w.t, issuer, uri, until)
}

// issue makes a certificate for a client.
func issue(t *testing.T, issuer tls.Certificate, uri string, until time.Time) tls.Certificate {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until, URIs: []*url.URL{u},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, issuer.Leaf, key.Public(), issuer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestAProxyOutsideOfTheClusterIsKnownByItsCertificate(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	r := w.start("a", authenticating).ready()
	w.pod("edge-pod", "bookinfo-gateway")
	later := time.Now().Add(time.Minute)
	good := w.clientCertificate(pki.GatewayURI+bookinfo.String(), later)
	r.open("", fakeproxy.Node("outside-1", bookinfo), good).served()

	w.eventually("the Pod is known", func() (bool, string) {
		s := r.open("", fakeproxy.Node("edge-pod", bookinfo), good).refused()
		return s.Code() == codes.PermissionDenied && strings.Contains(s.Message(), `the node id "edge-pod" is the name of a Pod`), s.Message()
	})
	if s := r.open("", fakeproxy.Node("router~10.0.0.1~edge-pod.default~x", bookinfo), good).refused(); s.Code() != codes.PermissionDenied {
		t.Errorf("the node id of the Pod in Istio's form: %s %s", s.Code(), s.Message())
	}
	// What ends a handshake has no text that a client could rely on.
	for _, c := range []struct {
		name string
		cert tls.Certificate
		code codes.Code
		text string
	}{
		{"for another Gateway", w.clientCertificate(pki.GatewayURI+"default/other", later), codes.PermissionDenied,
			"proxy of Gateway default/bookinfo-gateway, but by its certificate it is one of Gateway default/other; "},
		{"for no Gateway", w.clientCertificate("spiffe://wasmpoint.dev/other/default/x", later), codes.Unauthenticated,
			"it needs exactly one URI of the form spiffe://wasmpoint.dev/gateway/NAMESPACE/NAME"},
		{"expired", w.clientCertificate(pki.GatewayURI+bookinfo.String(), time.Now().Add(-time.Minute)), codes.Unavailable, ""},
		{"of another CA", func() tls.Certificate {
			cert, key, err := pki.Generate(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			issuer, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			return issue(t, issuer, pki.GatewayURI+bookinfo.String(), later)
		}(), codes.Unavailable, ""},
	} {
		if s := r.open("", fakeproxy.Node("outside-1", bookinfo), c.cert).refused(); s.Code() != c.code || !strings.Contains(s.Message(), c.text) {
			t.Errorf("a certificate %s: %s %s, want %s %s", c.name, s.Code(), s.Message(), c.code, c.text)
		}
	}
}
