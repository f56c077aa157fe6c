package routes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// KeyPair gives the certificate chain and the private key of a TLS Secret, PEM, nil where missing. In files they may stand
// under stringData, which the API server would have moved to data.
func KeyPair(s *corev1.Secret) (chain, key []byte) {
	get := func(name string) []byte {
		if text, ok := s.StringData[name]; ok {
			return []byte(text)
		}
		return s.Data[name]
	}
	return get(corev1.TLSCertKey), get(corev1.TLSPrivateKeyKey)
}

// checkSecret tells why Envoy would refuse the key pair of a Secret of type kubernetes.io/tls, nil if it would not. One
// refused certificate is refused with the whole answer that carries it, so it must not get that far.
func checkSecret(s *corev1.Secret) error {
	chain, key := KeyPair(s)
	if len(chain) == 0 || len(key) == 0 {
		return fmt.Errorf("it needs the entries %s and %s", corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	var leaf *x509.Certificate
	for rest := chain; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s does not parse: %w", corev1.TLSCertKey, err)
		}
		if leaf == nil {
			leaf = cert
		}
	}
	if leaf == nil {
		return fmt.Errorf("%s holds no PEM certificate", corev1.TLSCertKey)
	}
	private, err := privateKey(key)
	if err != nil {
		return fmt.Errorf("%s: %w", corev1.TLSPrivateKeyKey, err)
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return fmt.Errorf("%s is not the key of the first certificate in %s", corev1.TLSPrivateKeyKey, corev1.TLSCertKey)
	}
	return nil
}

// privateKey reads the first private key; kinds of keys that Envoy refuses are errors.
func privateKey(data []byte) (crypto.Signer, error) {
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New("no PEM private key")
		}
		var key any
		var err error
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default: // for example EC PARAMETERS before the key
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("does not parse: %w", err)
		}
		switch k := key.(type) {
		case *rsa.PrivateKey:
			if k.N.BitLen() < 2048 {
				return nil, fmt.Errorf("an RSA key of %d bits is too short, use 2048 or more", k.N.BitLen())
			}
			return k, nil
		case *ecdsa.PrivateKey:
			if k.Curve.Params().BitSize < 256 {
				return nil, fmt.Errorf("curve %s is not supported, use P-256", k.Curve.Params().Name)
			}
			return k, nil
		default:
			return nil, fmt.Errorf("a key of type %T is not supported, use RSA or ECDSA", key)
		}
	}
}
