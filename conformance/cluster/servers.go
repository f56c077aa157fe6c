package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

const (
	// adminToken is a password of servers that listen on loopback for the length of a test.
	adminToken = "admin"
	tokensFile = "tokens.csv"
	// keyFile signs the tokens of ServiceAccounts.
	keyFile = "service-accounts.key"
	// certificateFile is written by the API server itself when it starts first, with the certificate's issuer in it.
	certificateFile = "apiserver.crt"
)

// writeSecrets writes what kube-apiserver wants to find.
func (c *Cluster) writeSecrets() {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		keyFile:    pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		tokensFile: fmt.Appendf(nil, "%s,admin,admin,system:masters\n", adminToken),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), content, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *Cluster) startEtcd() {
	c.t.Helper()
	clients, peers := "http://"+c.hostPort(c.ports.etcd), "http://"+c.hostPort(c.ports.peers)
	c.etcd = start(c.t, c.dir, Binary(c.t, "etcd"),
		"--name=cluster", "--data-dir=etcd", "--log-level=warn",
		// The data need to survive a crash of a process, not of the machine.
		"--unsafe-no-fsync",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=cluster="+peers)
	c.awaitReady(c.etcd, clients+"/health")
}

// startAPIServer starts kube-apiserver and waits until it is ready.
func (c *Cluster) startAPIServer() {
	c.t.Helper()
	flags := []string{
		"--bind-address=" + c.host, "--advertise-address=" + c.host, fmt.Sprintf("--secure-port=%d", c.ports.apiServer),
		"--cert-dir=.", "--etcd-servers=http://" + c.hostPort(c.ports.etcd),
		// No endpoints for Service default/kubernetes: EndpointSlices refuse loopback addresses.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
		"--authorization-mode=RBAC", "--token-auth-file=" + tokensFile,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + keyFile, "--service-account-signing-key-file=" + keyFile,
	}
	if !c.options.controllerManager {
		// It refuses Pods of ServiceAccounts that do not exist, and nobody makes the default ones.
		flags = append(flags, "--disable-admission-plugins=ServiceAccount")
	}
	c.apiServer = start(c.t, c.dir, Binary(c.t, "kube-apiserver"), append(flags, c.options.apiServerFlags...)...)
	c.awaitReady(c.apiServer, "https://"+c.address()+"/readyz")
}

func (c *Cluster) startControllerManager() {
	c.t.Helper()
	c.controllerManager = start(c.t, c.dir, Binary(c.t, "kube-controller-manager"),
		"--kubeconfig="+c.Kubeconfig(), "--leader-elect=false", "--secure-port=0", "--root-ca-file="+certificateFile,
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--controllers=deployment-controller,replicaset-controller,endpointslice-controller,garbage-collector-controller,"+
			"namespace-controller,serviceaccount-controller,root-ca-certificate-publisher-controller")
}

// awaitReady polls a health URL until it answers 200. A server that ends meanwhile fails the test with its log.
func (c *Cluster) awaitReady(p *process, url string) {
	c.t.Helper()
	// The certificate is made by the server that is asked.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	name := filepath.Base(p.cmd.Path)
	testbed.Eventually(c.t, startLimit, name+" ready", func() (bool, string) {
		if !p.alive() {
			c.t.Fatalf("%s ended while starting", name) // stop prints its log
		}
		status, _, err := testbed.Get(hc, url, "Authorization", "Bearer "+adminToken)
		return status == http.StatusOK, fmt.Sprintf("status %d, %s", status, errorText(err))
	})
}
