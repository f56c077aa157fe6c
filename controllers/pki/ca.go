package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// ca is one state of the Secret, read and found good.
type ca struct {
	// pem is ca.crt without anything that is not a certificate.
	pem []byte
	// certs are all certificates of ca.crt: what is verified against.
	certs []*x509.Certificate
	pool  *x509.CertPool
	// signer is the certificate that belongs to key: what is signed with.
	signer *x509.Certificate
	key    crypto.Signer
	// moduleKey and drainKey are derived from key.
	moduleKey, drainKey []byte
}

// Generate makes a CA: an ECDSA P-256 key and a self-signed certificate that is valid for ten years, as PEM.
func Generate(now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a CA: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, fmt.Errorf("making a CA: %w", err)
	}
	template := &x509.Certificate{
		// The serial number tells two generations apart: verifiers find an issuer by its name.
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"wasmpoint"}, CommonName: fmt.Sprintf("wasmpoint CA %x", serial.Bytes()[:4])},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a CA: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a CA: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func serialNumber() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and of full length
	return new(big.Int).SetBytes(b), nil
}

// readCA reads and judges the two keys of the Secret. The error says which key is wrong and what to do.
func readCA(certPEM, keyPEM []byte, now time.Time) (*ca, error) {
	out := &ca{pool: x509.NewCertPool()}
	for rest := certPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds a PEM block %q; it may hold certificates only", CertKey, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d is broken: %w", CertKey, len(out.certs)+1, err)
		}
		if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("%s: certificate %d (%s) is not a CA's: it may not sign certificates", CertKey, len(out.certs)+1, cert.Subject)
		}
		out.certs = append(out.certs, cert)
		out.pool.AddCert(cert)
		out.pem = append(out.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	if len(out.certs) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", CertKey)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	out.key = key
	if out.moduleKey, err = derive(key, "wasmpoint module addresses"); err != nil {
		return nil, err
	}
	if out.drainKey, err = derive(key, "wasmpoint drain secrets"); err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", PrivateKey, err)
	}
	for _, cert := range out.certs {
		if bytes.Equal(cert.RawSubjectPublicKeyInfo, public) && (out.signer == nil || cert.NotAfter.After(out.signer.NotAfter)) {
			out.signer = cert
		}
	}
	switch {
	case out.signer == nil:
		return nil, fmt.Errorf("%s does not match %s: none of its %d certificates has that key", PrivateKey, CertKey, len(out.certs))
	case now.After(out.signer.NotAfter):
		return nil, fmt.Errorf("%s expired at %s; put a new CA in, or delete the Secret to have one made",
			CertKey, out.signer.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(out.signer.NotBefore):
		return nil, fmt.Errorf("%s is valid from %s on only; is the clock right?", CertKey, out.signer.NotBefore.UTC().Format(time.RFC3339))
	}
	return out, nil
}

// parseKey reads a private key in one of the three usual forms.
func parseKey(keyPEM []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("%s holds no private key in PEM form", PrivateKey)
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("a PEM block %q is not an unencrypted private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", PrivateKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key of type %T cannot sign", PrivateKey, key)
	}
	return signer, nil
}

// derive makes a key for another use from the private key, the same whatever form that is written in.
func derive(key crypto.Signer, use string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", PrivateKey, err)
	}
	return hkdf.Key(sha256.New, der, nil, use, sha256.Size)
}

// verify checks a chain of certificates, leaf first, against the CA, for one use.
func (c *ca) verify(chain []*x509.Certificate, use x509.ExtKeyUsage, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("no certificate was shown")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: c.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use},
	})
	return err
}
