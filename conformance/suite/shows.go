package suite

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Shows is by what the controller may know a proxy, and what a proxy may try.
type Shows struct {
	// Token is sent with each stream; "": none.
	Token string
	// Certificate is the client's, as PEM with its key; nil: none.
	Certificate []byte
	// Says is the Gateway whose proxy it says to be; the Pod's own unless given.
	Says types.NamespacedName
	// ID is the node's id, the Pod's name unless given.
	ID string
	// Asks is a slot that it subscribes to, beside those of its listeners; "": none.
	Asks string
}

// StartWith starts an Envoy in the place of the Pod's, and does not wait.
func (p *Proxy) StartWith(show Shows) {
	w := p.w
	w.t.Helper()
	if p.admin == "" { // a loopback address that nobody else has, because all proxies share this network
		p.admin = strings.Replace(w.address(), "10.", "127.", 1) + ":15000"
	}
	if show.Says.Name == "" {
		show.Says = p.gateway
	}
	config := bootstrap.Config{
		ID: cmp.Or(show.ID, p.Name), Gateway: show.Says, XDS: cmp.Or(p.xds, xdsAddress), Modules: modulesAddress, Admin: p.admin,
		TLS: &bootstrap.TLS{CA: w.ca, Name: pki.ServerName(w.systemNamespace())},
	}
	if show.Token != "" {
		config.TokenFile = filepath.Join(w.t.TempDir(), "token")
		must(w.t, os.WriteFile(config.TokenFile, []byte(show.Token), 0o600))
	}
	message, err := bootstrap.Message(config)
	must(w.t, err)
	if show.Certificate != nil {
		must(w.t, showCertificate(message, show.Certificate))
	}
	if show.Asks != "" {
		must(w.t, ask(message, w.address(), show.Asks))
	}
	raw, err := protojson.Marshal(message)
	must(w.t, err)
	p.envoy = testbed.StartEnvoy(w.t, raw)
}

// Stop ends the Envoy.
func (p *Proxy) Stop() { p.envoy.Stop() }

// showCertificate has a proxy show a certificate to the controller.
func showCertificate(b *bootstrapv3.Bootstrap, pair []byte) error {
	for _, c := range b.StaticResources.Clusters {
		context := &tlsv3.UpstreamTlsContext{}
		if err := c.TransportSocket.GetTypedConfig().UnmarshalTo(context); err != nil {
			return err
		}
		inline := &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: pair}} // each reads its part
		context.CommonTlsContext.TlsCertificates = []*tlsv3.TlsCertificate{{CertificateChain: inline, PrivateKey: inline}}
		packed, err := anypb.New(context)
		if err != nil {
			return err
		}
		c.TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: packed}
	}
	return nil
}

// ClientCertificate makes a certificate of the controller's CA for the proxies of a Gateway, as PEM with its key.
func (w *World) ClientCertificate(gateway string, until time.Time) []byte {
	w.t.Helper()
	var secret corev1.Secret
	must(w.t, w.client.Get(context.Background(), client.ObjectKey{Namespace: w.systemNamespace(), Name: pki.SecretName}, &secret))
	issuer, err := tls.X509KeyPair(secret.Data[pki.CertKey], secret.Data[pki.PrivateKey])
	must(w.t, err)
	uri, err := url.Parse(pki.GatewayURI + w.of(named(gateway)).String())
	must(w.t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: until.Add(-time.Hour), NotAfter: until, URIs: []*url.URL{uri},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, issuer.Leaf, key.Public(), issuer.PrivateKey)
	must(w.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(w.t, err)
	var out bytes.Buffer
	must(w.t, pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	must(w.t, pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return out.Bytes()
}
