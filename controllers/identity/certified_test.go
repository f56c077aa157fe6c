package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

// gate is a server that admits streams and answers each with an empty message.
type gate struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	a *Authenticator
}

func (g *gate) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	if err := g.a.Admit(stream.Context()); err != nil {
		return err
	}
	if err := stream.Send(&discoveryv3.DeltaDiscoveryResponse{}); err != nil {
		return err
	}
	_, err := stream.Recv()
	return err
}

// place is a CA, a server, and one connection of a client with a certificate of that CA.
type place struct {
	t         *testing.T
	authority *pki.Authority
	issuer    tls.Certificate
	conn      *grpc.ClientConn
}

// newPlace starts a server that knows clients by the authenticator; the client's certificate is good until a moment.
func newPlace(t *testing.T, a *Authenticator, until time.Time) *place {
	t.Helper()
	cert, key, err := pki.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t}
	if p.issuer, err = tls.X509KeyPair(cert, key); err != nil {
		t.Fatal(err)
	}
	if p.authority, err = pki.New("ns", cert, key, nil); err != nil {
		t.Fatal(err)
	}
	config, err := p.authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(ServerOption(), grpc.Creds(credentials.NewTLS(config)))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, &gate{a: a})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	p.conn, err = grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{p.client(until)}, MinVersion: tls.VersionTLS13,
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

// client makes the certificate of a proxy.
func (p *place) client(until time.Time) tls.Certificate {
	p.t.Helper()
	u, err := url.Parse(pki.GatewayURI + "default/edge")
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: until, URIs: []*url.URL{u},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, p.issuer.Leaf, key.Public(), p.issuer.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// open opens a stream and gives how its first answer failed.
func (p *place) open() (discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	p.t.Cleanup(cancel)
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(p.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = s.Recv()
	return s, err
}

// ends checks that a stream that was admitted ends, and that the next one on its connection is refused with a text.
func (p *place) ends(s discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, text string) {
	p.t.Helper()
	if _, err := s.Recv(); status.Code(err) != codes.Canceled {
		p.t.Errorf("the stream ended with %v, want Canceled", err)
	}
	if _, err := p.open(); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), text) {
		p.t.Errorf("the next one on that connection: %v, want %s", err, text)
	}
}

func TestAStreamEndsWithItsCertificate(t *testing.T) {
	a := New(Options{Reviews: newSlow()})
	p := newPlace(t, a, time.Now().Add(3*time.Second))
	recheck := a.CheckCertificates(p.authority.CheckClient)
	s, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	recheck() // it ends nothing that is good
	p.ends(s, "certificate has expired")
}

func TestAStreamEndsWhenItsCertificatesCAIsTrustedNoMore(t *testing.T) {
	a := New(Options{Reviews: newSlow()})
	p := newPlace(t, a, time.Now().Add(time.Hour))
	var dropped atomic.Bool
	recheck := a.CheckCertificates(func(chain []*x509.Certificate) error {
		if dropped.Load() {
			return errors.New("nobody knows its CA")
		}
		return p.authority.CheckClient(chain)
	})
	s, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	dropped.Store(true)
	recheck()
	p.ends(s, "the proxy's certificate is not good any more: nobody knows its CA; give the proxy a new one")
	testbed.Eventually(t, 20*time.Second, "no stream is kept that ended", func() (bool, string) {
		a.streams.mu.Lock()
		defer a.streams.mu.Unlock()
		return len(a.streams.certified) == 0, fmt.Sprint(len(a.streams.certified))
	})
}
