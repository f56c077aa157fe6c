package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"
)

func authority(t *testing.T, c *clock) *Authority {
	t.Helper()
	cert, key := generate(t, c.now)
	a, err := New("wasmpoint-system", cert, key, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func serverSide(t *testing.T, a *Authority) *tls.Config {
	t.Helper()
	c, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trusting is what a proxy does: it has the CA and a name.
func trusting(a *Authority, name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CAPEM())
	return &tls.Config{RootCAs: pool, ServerName: name, Time: a.now, NextProtos: []string{"h2"}}
}

// handshake connects the two over a real socket and sends a byte each way. It gives the name that the client asked for
// and the server saw. The error is the client's, or else the server's.
func handshake(t *testing.T, server, client *tls.Config) (name string, err error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 1)
		if _, err := conn.Read(b); err != nil {
			served <- err
			return
		}
		name = conn.(*tls.Conn).ConnectionState().ServerName
		_, err = conn.Write(b)
		served <- err
	}()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", l.Addr().String(), client)
	if err != nil {
		<-served
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	b := []byte{42}
	if _, err = conn.Write(b); err == nil {
		_, err = conn.Read(b) // TLS 1.3 tells the client of its refused certificate here
	}
	if serverErr := <-served; err == nil {
		err = serverErr
	}
	return name, err
}

func TestProxiesReachTheServersByTheNamesOfTheirServices(t *testing.T) {
	a := authority(t, &clock{t0})
	config, err := a.Server("xds.example.com", "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"wasmpoint", "wasmpoint.wasmpoint-system", "wasmpoint.wasmpoint-system.svc", "wasmpoint.wasmpoint-system.svc.cluster.local",
		"wasmpoint-peers.wasmpoint-system.svc", "localhost", "127.0.0.1", "xds.example.com", "192.0.2.7",
	} {
		if _, err := handshake(t, config, trusting(a, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.ServerName() != "wasmpoint.wasmpoint-system.svc" {
		t.Errorf("got %s", a.ServerName())
	}
	for name, client := range map[string]*tls.Config{
		"another name":            trusting(a, "wasmpoint.elsewhere.svc"),
		"another CA":              trusting(authority(t, &clock{t0}), "localhost"),
		"a client of TLS 1.1":     {RootCAs: trusting(a, "").RootCAs, ServerName: "localhost", Time: a.now, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"a client without HTTP/2": {RootCAs: trusting(a, "").RootCAs, ServerName: "localhost", Time: a.now, NextProtos: []string{"spdy"}},
	} {
		if _, err := handshake(t, config, client); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
}

func TestAServingCertificateIsRenewedAfterTwoThirdsOfItsLife(t *testing.T) {
	c := &clock{t0}
	a := authority(t, c)
	config := serverSide(t, a)
	get := func() *x509.Certificate {
		t.Helper()
		cert, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf
	}
	first := get()
	if !first.NotAfter.Equal(t0.Add(24 * time.Hour)) {
		t.Errorf("valid until %s", first.NotAfter)
	}
	c.now = t0.Add(16*time.Hour - time.Second)
	if !get().Equal(first) {
		t.Error("renewed too early")
	}
	c.now = t0.Add(16 * time.Hour)
	second := get()
	if second.Equal(first) || !second.NotAfter.Equal(t0.Add(40*time.Hour)) {
		t.Errorf("not renewed: valid until %s", second.NotAfter)
	}
	c.now = t0.Add(100 * time.Hour)
	if _, err := handshake(t, config, trusting(a, "localhost")); err != nil {
		t.Errorf("after a long pause: %v", err)
	}
}

func TestACertificateDoesNotOutliveItsCA(t *testing.T) {
	c := &clock{t0}
	a := authority(t, c)
	config := serverSide(t, a)
	c.now = t0.Add(caLife - time.Hour)
	cert, err := config.GetCertificate(nil)
	if err != nil || !cert.Leaf.NotAfter.Equal(t0.Add(caLife)) {
		t.Fatalf("got %v, %v", cert, err)
	}
	if !strings.Contains(a.Warning(), "expires at 2036-11-25T12:00:00Z (in 0 days)") {
		t.Errorf("got %q", a.Warning())
	}
	c.now = t0.Add(caLife + time.Second)
	if _, err := config.GetCertificate(nil); err == nil || err.Error() != "making a certificate: the CA expired at 2036-11-25T12:00:00Z; put a new one into Secret wasmpoint-ca" {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAReplicaPassesForAReplica(t *testing.T) {
	c := &clock{t0}
	a := authority(t, c)
	server, client, err := a.Peer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server, client); err != nil {
		t.Fatalf("two replicas: %v", err)
	}
	strange, strangeClient, err := authority(t, c).Peer()
	if err != nil {
		t.Fatal(err)
	}
	// with is a client with a certificate of a CA for a URI.
	with := func(a *Authority, uri string, uses ...x509.ExtKeyUsage) *tls.Config {
		l, err := a.newLeaf([]string{"wasmpoint-peers"}, uri, uses...)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := l.get()
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{*cert}}
	}
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		want           string
	}{
		{"a client without certificate", server, &tls.Config{InsecureSkipVerify: true}, "certificate required"},
		{"a client of another CA", server, strangeClient, "signed by unknown authority"},
		{"a server of another CA", strange, client, "signed by unknown authority"},
		{"a server that shows the xDS server's certificate", serverSide(t, a), client, "its certificate is for [], not for spiffe://wasmpoint/replica"},
		{"a proxy of the same CA", server, with(a, "spiffe://cluster.local/ns/shop/sa/edge", x509.ExtKeyUsageClientAuth), "bad certificate"},
		{"a replica's name below ours", server, with(a, ReplicaURI+"/1", x509.ExtKeyUsageClientAuth), "bad certificate"},
		{"a certificate that is not for clients", server, with(a, ReplicaURI, x509.ExtKeyUsageServerAuth), "bad certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := handshake(t, c.server, c.client)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	c.now = t0.Add(caLife - time.Minute)
	if _, err := handshake(t, server, client); err != nil {
		t.Errorf("after renewals: %v", err)
	}
}

func TestACAIsRotatedWithoutABreak(t *testing.T) {
	c := &clock{t0}
	oldCert, oldKey := generate(t, t0)
	newCert, newKey := generate(t, t0)
	both := append(bytes.Clone(oldCert), newCert...)
	authorities := make([]*Authority, 2) // two replicas, which do not read the Secret at the same moment
	var servers, clients [2]*tls.Config
	var xds [2]*tls.Config
	for i := range authorities {
		a, err := New("ns", oldCert, oldKey, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		authorities[i], xds[i] = a, serverSide(t, a)
		if servers[i], clients[i], err = a.Peer(); err != nil {
			t.Fatal(err)
		}
	}
	proxies := []*tls.Config{trusting(authorities[0], "localhost")} // started with the old CA
	check := func(step string) {
		t.Helper()
		for i := range servers {
			for j := range clients {
				if _, err := handshake(t, servers[i], clients[j]); err != nil {
					t.Errorf("%s: replica %d to %d: %v", step, j, i, err)
				}
			}
			for j, proxy := range proxies {
				if _, err := handshake(t, xds[i], proxy); err != nil {
					t.Errorf("%s: proxy %d to replica %d: %v", step, j, i, err)
				}
			}
		}
	}
	check("before")
	for _, step := range []struct {
		name      string
		cert, key []byte
		restart   bool // all proxies start anew after it
	}{
		{"both certificates are trusted", both, oldKey, true},
		{"the new key signs", both, newKey, false},
		{"the old certificate is gone", newCert, newKey, false},
	} {
		for i, a := range authorities {
			state, err := readCA(step.cert, step.key, c.now)
			if err != nil {
				t.Fatal(err)
			}
			a.state.Store(state)
			check(step.name + " at replica " + string(rune('0'+i)))
		}
		if step.restart {
			proxies = []*tls.Config{trusting(authorities[0], "localhost")}
		}
	}
	if _, err := handshake(t, xds[0], func() *tls.Config { o, _ := New("ns", oldCert, oldKey, c.Now); return trusting(o, "localhost") }()); err == nil {
		t.Error("the old CA is still in use")
	}
}
