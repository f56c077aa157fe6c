package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// leaf is a certificate that is made anew when it becomes old or the CA changes. The zero of its state makes the first one.
type leaf struct {
	authority *Authority
	template  x509.Certificate

	mu     sync.Mutex
	signed *ca
	cert   *tls.Certificate
	renew  time.Time
}

// newLeaf makes the first certificate, so that what cannot work is told at once.
func (a *Authority) newLeaf(names []string, uri string, uses ...x509.ExtKeyUsage) (*leaf, error) {
	l := &leaf{authority: a, template: x509.Certificate{
		Subject: pkix.Name{Organization: []string{"wasmpoint"}, CommonName: "wasmpoint"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: uses,
		BasicConstraintsValid: true,
	}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			l.template.IPAddresses = append(l.template.IPAddresses, ip)
		} else {
			l.template.DNSNames = append(l.template.DNSNames, name)
		}
	}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			return nil, fmt.Errorf("certificate for %s: %w", uri, err)
		}
		l.template.URIs = []*url.URL{u}
	}
	_, err := l.get()
	return l, err
}

// get is the certificate in force. A former one that is still valid is better than an error.
func (l *leaf) get() (*tls.Certificate, error) {
	current, now := l.authority.current(), l.authority.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cert != nil && l.signed == current && now.Before(l.renew) {
		return l.cert, nil
	}
	cert, err := l.make(current, now)
	if err != nil {
		if l.cert != nil && now.Before(l.cert.Leaf.NotAfter) {
			return l.cert, nil
		}
		return nil, err
	}
	l.cert, l.signed = cert, current
	l.renew = now.Add(cert.Leaf.NotAfter.Sub(now) * 2 / 3)
	return cert, nil
}

func (l *leaf) make(signer *ca, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	template := l.template
	if template.SerialNumber, err = serialNumber(); err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(leafLife)
	if end := signer.signer.NotAfter; template.NotAfter.After(end) {
		template.NotAfter = end // nobody accepts it any longer than its issuer
	}
	if !template.NotAfter.After(now) {
		return nil, fmt.Errorf("making a certificate: the CA expired at %s; put a new one into Secret %s",
			signer.signer.NotAfter.UTC().Format(time.RFC3339), SecretName)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, signer.signer, key.Public(), signer.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	chain := [][]byte{der}
	if signer.signer.Subject.String() != signer.signer.Issuer.String() {
		chain = append(chain, signer.signer.Raw) // an own CA below a root: who trusts the root alone needs what is between
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: parsed}, nil
}
