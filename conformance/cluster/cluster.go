package cluster

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// startLimit is how long a server may take to get ready; it takes about 3 seconds on an idle machine.
const startLimit = time.Minute

// pollEvery is the pause between two looks at a server that starts.
const pollEvery = 20 * time.Millisecond

// Cluster is a running control plane. Its methods fail the test on errors, and are for the test's goroutine.
type Cluster struct {
	t       testing.TB
	options options
	dir     string
	host    string
	ports   struct{ etcd, peers, apiServer int }

	etcd, apiServer, controllerManager *process

	scheme      *runtime.Scheme
	config      *rest.Config
	client      client.Client
	kubeconfigs atomic.Int32
}

// Start starts a control plane and stops it when the test ends. A failed test prints the end of each server's log.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: t.TempDir(), host: host(), scheme: Scheme()}
	for _, o := range opts {
		o(&c.options)
	}
	ports := freePorts(t, c.host, 3)
	c.ports.etcd, c.ports.peers, c.ports.apiServer = ports[0], ports[1], ports[2]
	t.Cleanup(c.stop)

	c.writeSecrets()
	c.startEtcd()
	c.StartAPIServer()
	c.connect()
	c.await("namespace default", &corev1.Namespace{}, client.ObjectKey{Name: corev1.NamespaceDefault})
	if c.options.controllerManager {
		c.startControllerManager()
	}
	c.install(func(name string) bool {
		return !c.options.noCRDs && !slices.Contains(c.options.without, name) && (c.options.istio || !slices.Contains(istioCRDs, name))
	}, c.options.without)
	if c.options.controllerManager {
		// It has no port to ask; what its controllers write shows that it works.
		key := client.ObjectKey{Namespace: corev1.NamespaceDefault, Name: "default"}
		c.await("ServiceAccount default/default", &corev1.ServiceAccount{}, key)
	}
	return c
}

// Config has all rights and no limit of its own on requests per second.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Client has all rights, reads from the API server (it has no cache), and knows the kinds of Scheme.
func (c *Cluster) Client() client.Client { return c.client }

// stop ends what runs. The data goes with the test's folder, so nothing needs to be stopped gently.
func (c *Cluster) stop() {
	for _, p := range []*process{c.controllerManager, c.apiServer, c.etcd} {
		p.kill()
		if p != nil && c.t.Failed() {
			c.t.Log(p.logEnd())
		}
	}
}

func (c *Cluster) connect() {
	c.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		c.t.Fatal(err)
	}
	config.QPS = -1
	c.config = config
	if c.client, err = client.New(config, client.Options{Scheme: c.scheme}); err != nil {
		c.t.Fatal(err)
	}
}

// await waits until an object exists.
func (c *Cluster) await(what string, into client.Object, key client.ObjectKey) {
	c.t.Helper()
	testbed.Eventually(c.t, startLimit, what, func() (bool, string) {
		err := c.client.Get(context.Background(), key, into)
		return err == nil, errorText(err)
	})
}

// address of the API server, host:port.
func (c *Cluster) address() string { return c.hostPort(c.ports.apiServer) }

func (c *Cluster) hostPort(port int) string { return net.JoinHostPort(c.host, strconv.Itoa(port)) }

// freePorts are ports that nobody listens on now, all different.
func freePorts(t testing.TB, host string, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all are held until all are known
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
