package routes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func secretOf(t *testing.T, certified, private crypto.Signer) *corev1.Secret {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, certified.Public(), certified)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}}
}

func TestCertificatesThatEnvoyWouldRefuseAreRefusedBefore(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	must := func(k crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	long := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	broken := secretOf(t, p256, p256)
	broken.Data[corev1.TLSCertKey] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
	for _, c := range []struct {
		name   string
		secret *corev1.Secret
		want   string
	}{
		{"ECDSA on P-256", secretOf(t, p256, p256), ""},
		{"RSA with 2048 bits", secretOf(t, long, long), ""},
		{"the key of another certificate", secretOf(t, p256, other), "tls.key is not the key of the first certificate in tls.crt"},
		{"RSA with 1024 bits", secretOf(t, short, short), "tls.key: an RSA key of 1024 bits is too short, use 2048 or more"},
		{"ECDSA on P-224", secretOf(t, p224, p224), "tls.key: curve P-224 is not supported, use P-256"},
		{"Ed25519", secretOf(t, edwards, edwards), "tls.key: a key of type ed25519.PrivateKey is not supported, use RSA or ECDSA"},
		{"a certificate that does not parse", broken, "tls.crt does not parse: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkSecret(c.secret)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
