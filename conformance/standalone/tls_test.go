package standalone_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/load"
)

const httpsGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
spec:
  gatewayClassName: wasmpoint
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: certificate}]}
---
`

// TestASecretIsRotatedWithoutAFailedRequest: every request of the load makes a connection and so a handshake of its own.
func TestASecretIsRotatedWithoutAFailedRequest(t *testing.T) {
	web, _ := backend(t, "web", "", "http")
	w := start(t, map[string]string{
		"web.yaml": web, "edge.yaml": httpsGateway + toWeb, "secret.yaml": newSecret(t, "generation-0"),
	})
	marker := w.module("marker.wasm", "1")
	w.write("plugin.yaml", pluginManifest("at-edge", marker, "Gateway", "edge", "{name: m}", ""))
	w.plugin("at-edge", "programmed", programmed)
	addr := w.gateway("edge")
	// Which certificate it is, is looked at below; it is signed by nobody.
	https := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: "shop.test", InsecureSkipVerify: true},
	}}
	common := func() (string, error) {
		resp, err := https.Get("https://" + addr + "/")
		if err != nil {
			return "", err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Header.Get("x-saw") != "m" {
			return "", fmt.Errorf("status %d, plugins %q", resp.StatusCode, resp.Header.Get("x-saw"))
		}
		return resp.TLS.PeerCertificates[0].Subject.CommonName, nil
	}
	shows := func(want string) {
		t.Helper()
		w.eventually("certificate "+want, func() (bool, string) {
			got, err := common()
			return err == nil && got == want, fmt.Sprint(got, err)
		})
	}
	shows("generation-0")
	l := load.Start(load.Config{Rate: 120, Client: https, Request: func() (*http.Request, error) {
		return http.NewRequest(http.MethodGet, "https://"+addr+"/", nil)
	}, Check: func(resp *http.Response) error {
		if resp.StatusCode != http.StatusOK || resp.Header.Get("x-saw") != "m" {
			return fmt.Errorf("status %d, plugins %q", resp.StatusCode, resp.Header.Get("x-saw"))
		}
		return nil
	}})
	t.Cleanup(func() { l.Stop() })
	var slowest time.Duration
	rotations := 0
	for ; rotations < 20 || l.Report().OK < 150; rotations++ {
		name := fmt.Sprint("generation-", rotations+1)
		begin := time.Now()
		w.write("secret.yaml", newSecret(t, name))
		shows(name)
		slowest = max(slowest, time.Since(begin))
	}
	t.Logf("%d rotations, from file to handshake in %s at most", rotations, slowest.Round(time.Millisecond))
	report := l.Stop()
	t.Log(report)
	if report.Failed != 0 || report.OK == 0 {
		t.Errorf("requests failed: %s", report)
	}
}

// newSecret is a TLS Secret with a certificate of its own for shop.test.
func newSecret(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"shop.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: certificate
type: kubernetes.io/tls
data:
  tls.crt: %s
  tls.key: %s
`, encode("CERTIFICATE", der), encode("PRIVATE KEY", private))
}
