package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func generate(t *testing.T, now time.Time) (cert, key []byte) {
	t.Helper()
	cert, key, err := Generate(now)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestAGeneratedCAIsValidForTenYears(t *testing.T) {
	cert, key := generate(t, t0)
	c, err := readCA(cert, key, t0.Add(caLife-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.signer; got.PublicKeyAlgorithm != x509.ECDSA || !got.NotAfter.Equal(t0.AddDate(0, 0, 3650)) || !bytes.Equal(c.pem, cert) {
		t.Errorf("got %s until %s", got.PublicKeyAlgorithm, got.NotAfter)
	}
}

func TestAWrongCAIsRefusedWithTheReason(t *testing.T) {
	cert, key := generate(t, t0)
	otherCert, otherKey := generate(t, t0)
	a, err := New("ns", cert, key, (&clock{t0}).Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.newLeaf([]string{"localhost"}, "", x509.ExtKeyUsageServerAuth)
	if err != nil {
		t.Fatal(err)
	}
	leafPEM := block("CERTIFICATE", l.cert.Leaf.Raw)
	for _, c := range []struct {
		name      string
		cert, key []byte
		now       time.Time
		want      string
	}{
		{"no certificate", []byte("hello"), key, t0, "ca.crt holds no certificate in PEM form"},
		{"a broken certificate", block("CERTIFICATE", []byte("x")), key, t0, "ca.crt: certificate 1 is broken: "},
		{"a key in ca.crt", append(bytes.Clone(cert), key...), key, t0, `ca.crt holds a PEM block "PRIVATE KEY"; it may hold certificates only`},
		{"a serving certificate", append(bytes.Clone(cert), leafPEM...), key, t0, "ca.crt: certificate 2 (CN=wasmpoint,O=wasmpoint) is not a CA's: it may not sign certificates"},
		{"no key", cert, []byte("hello"), t0, "ca.key holds no private key in PEM form"},
		{"an encrypted key", cert, block("ENCRYPTED PRIVATE KEY", []byte("x")), t0, `ca.key: a PEM block "ENCRYPTED PRIVATE KEY" is not an unencrypted private key`},
		{"a broken key", cert, block("PRIVATE KEY", []byte("x")), t0, "ca.key: asn1: "},
		{"another CA's key", cert, otherKey, t0, "ca.key does not match ca.crt: none of its 1 certificates has that key"},
		{"a key of no certificate of several", append(bytes.Clone(cert), cert...), otherKey, t0, "ca.key does not match ca.crt: none of its 2 certificates has that key"},
		{"an expired certificate", cert, key, t0.Add(caLife + time.Second),
			"ca.crt expired at 2036-11-25T12:00:00Z; put a new CA in, or delete the Secret to have one made"},
		{"an expired certificate beside a good one without key", append(bytes.Clone(otherCert), cert...), key, t0.Add(caLife + time.Second), "ca.crt expired at 2036-11-25T12:00:00Z; "},
		{"one from the future", cert, key, t0.Add(-time.Hour), "ca.crt is valid from 2026-11-28T11:55:00Z on only; is the clock right?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := readCA(c.cert, c.key, c.now); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestAnOwnCAMayHaveAnyUsualKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsa8, err := x509.MarshalPKCS8PrivateKey(small)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: t0, NotAfter: t0.Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	for name, key := range map[string][]byte{
		"EC": block("EC PRIVATE KEY", ecDER), "RSA": block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)), "PKCS 8": block("PRIVATE KEY", rsa8),
	} {
		t.Run(name, func(t *testing.T) {
			signer, err := parseKey(key)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
			if err != nil {
				t.Fatal(err)
			}
			a, err := New("ns", block("CERTIFICATE", der), key, (&clock{t0}).Now)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := handshake(t, serverSide(t, a), trusting(a, "localhost")); err != nil || got != "localhost" {
				t.Errorf("got %q, %v", got, err)
			}
			if want := "the CA in Secret ns/wasmpoint-ca expires at 2026-11-28T13:00:00Z (in 0 days); "; !strings.HasPrefix(a.Warning(), want) {
				t.Errorf("got %q, want %s", a.Warning(), want)
			}
		})
	}
}
