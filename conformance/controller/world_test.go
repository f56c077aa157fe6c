package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/eventlog"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/modules/registrytest"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// soon is how long anything may take here; the tests pass much earlier.
const soon = 30 * time.Second

// namespace is the controller's own.
const namespace = "wasmpoint-system"

// world is a cluster with a registry, and the controllers and proxies that a test starts.
type world struct {
	*testcluster.Cluster
	t        *testing.T
	registry *registrytest.Server
	// log is what all replicas wrote.
	log *testbed.Text
	// peers are the addresses at which replicas tell each other what their proxies run, by name. EndpointSlices, by which
	// they find each other in a cluster, cannot hold loopback addresses.
	peers map[string]string
}

func newWorld(t *testing.T, options ...testcluster.Option) *world {
	t.Helper()
	w := &world{t: t, Cluster: testcluster.Start(t, options...), registry: registrytest.Start(t), log: &testbed.Text{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the controllers:\n%s", w.log)
		}
	})
	files, err := filepath.Glob(filepath.Join("..", "..", "manifests", "rbac", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests of RBAC: %v", err)
	}
	w.ApplyYAML([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + "}\n"))
	for _, f := range files {
		if filepath.Base(f) == "kustomization.yaml" {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		w.ApplyYAML(raw)
	}
	return w
}

// replica is a controller that runs in this process.
type replica struct {
	w      *world
	config cluster.Config
	stop   func()
	ended  chan error
}

// start runs a controller with the rights of its ServiceAccount.
func (w *world) start(name string, change ...func(*cluster.Config)) *replica {
	w.t.Helper()
	c := cluster.Default()
	c.Namespace, c.Replica, c.DataDir = namespace, name, w.t.TempDir()
	c.Kubeconfig = w.KubeconfigFor(namespace, "wasmpoint")
	for _, at := range []*string{&c.XDS.Address, &c.Modules.Address, &c.Peers.Address, &c.Health.Address, &c.Admin.Address} {
		*at = testbed.Address(testbed.FreePort(w.t))
	}
	for peer, address := range w.peers {
		if peer == name {
			c.Peers.Address = address
		} else {
			c.Peers.Static = append(c.Peers.Static, address)
		}
	}
	c.Metrics.Address = "0"
	c.Client.QPS = -1
	c.Proxies.Authentication = cluster.AuthenticationNone // identity_test.go has its own proxies
	for _, f := range change {
		f(&c)
	}
	r := &replica{w: w, config: c, ended: make(chan error, 1)}
	if err := r.config.Complete(os.Getenv, os.Hostname); err != nil {
		w.t.Fatal(err)
	}
	r.run()
	return r
}

func (r *replica) run() {
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(eventlog.NewHandler(r.w.log)).With("replica", r.config.Replica)
	done := make(chan struct{})
	go func() {
		r.ended <- cluster.Run(ctx, r.config, log)
		close(done)
	}()
	var once sync.Once
	r.stop = func() { once.Do(func() { cancel(); <-done }) }
	r.w.t.Cleanup(r.stop)
}

// ready waits until the replica serves proxies.
func (r *replica) ready() *replica {
	r.w.t.Helper()
	r.w.eventually("replica "+r.config.Replica+" is ready", func() (bool, string) {
		select {
		case err := <-r.ended:
			r.w.t.Fatalf("replica %s ended: %v", r.config.Replica, err)
		default:
		}
		return r.isReady()
	})
	return r
}

// isReady is what the kubelet would hear.
func (r *replica) isReady() (bool, string) {
	code, body := get("http://" + r.config.Health.Address + "/readyz?verbose")
	return code == http.StatusOK, body
}

// proxy starts an Envoy of a Gateway that is connected to the replica.
func (r *replica) proxy(id string, gateway types.NamespacedName) *testbed.Envoy {
	r.w.t.Helper()
	c := bootstrap.Config{
		ID: id, Gateway: gateway, XDS: r.config.XDS.Address, Modules: r.config.Modules.Address,
		Admin: testbed.Address(testbed.FreePort(r.w.t)),
	}
	if r.config.TLS.Enabled {
		ca := r.w.ca()
		c.TLS = &bootstrap.TLS{CA: ca, Name: pki.ServerName(namespace)}
	}
	raw, err := bootstrap.JSON(c)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return testbed.StartEnvoy(r.w.t, raw)
}

func (w *world) eventually(what string, condition func() (bool, string)) {
	w.t.Helper()
	testbed.Eventually(w.t, soon, what, condition)
}

// plugin waits until a WasmPlugin's status satisfies the condition.
func (w *world) plugin(name string, what string, condition func(*extv1.WasmPlugin) bool) *extv1.WasmPlugin {
	w.t.Helper()
	p := &extv1.WasmPlugin{}
	w.eventually("WasmPlugin "+name+": "+what, func() (bool, string) {
		err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, p)
		if err != nil {
			return false, err.Error()
		}
		text, err := json.Marshal(p.Status)
		return condition(p), fmt.Sprint(string(text), err)
	})
	return p
}

// is tells that a summary condition has a status, for the current generation.
func is(condition, status string) func(*extv1.WasmPlugin) bool {
	return func(p *extv1.WasmPlugin) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == condition {
				return string(c.Status) == status && c.ObservedGeneration == p.Generation
			}
		}
		return false
	}
}

func message(p *extv1.WasmPlugin, condition string) string {
	for _, c := range p.Status.Conditions {
		if c.Type == condition {
			return c.Message
		}
	}
	return ""
}

// ca is the certificate that the controllers publish.
func (w *world) ca() []byte {
	w.t.Helper()
	var m corev1.ConfigMap
	if err := w.Client().Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: pki.ConfigMapName}, &m); err != nil {
		w.t.Fatal(err)
	}
	return []byte(m.Data["ca.crt"])
}

// basicAuth pushes basic-auth into the registry and gives its URL.
func (w *world) basicAuth() string {
	w.t.Helper()
	w.registry.Push("basic-auth", "1", registrytest.PluginImage(wasmtest.BasicAuth(w.t)))
	return "oci://" + w.registry.Host + "/basic-auth:1"
}

// get asks a URL; 0 means that nobody answered.
func get(url string) (code int, body string) {
	c := &http.Client{Timeout: 5 * time.Second}
	response, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(raw)
}

// answers waits until a request gets a status code.
func (w *world) answers(address string, want int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s answers %d", address, want), func() (bool, string) {
		code, body := get("http://" + address + "/productpage")
		return code == want, fmt.Sprintf("%d %s", code, strings.TrimSpace(body))
	})
}

// free is a loopback address of this test alone, for the listeners of a Gateway.
var nextAddress = struct {
	sync.Mutex
	n int
}{n: os.Getpid() % 200}

func free(t *testing.T) string {
	t.Helper()
	nextAddress.Lock()
	defer nextAddress.Unlock()
	for range 200 {
		nextAddress.n++
		ip := fmt.Sprintf("127.77.%d.%d", nextAddress.n/200%250, 1+nextAddress.n%200)
		if l, err := net.Listen("tcp", ip+":8080"); err == nil {
			_ = l.Close()
			return ip
		}
	}
	t.Fatal("no loopback address is free")
	return ""
}
