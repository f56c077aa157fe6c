package identity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

const (
	system = "wasmpoint-system"
	limit  = 2 * time.Minute
	// fleet is how many proxies come at once.
	fleet = 2000
)

var gateway = types.NamespacedName{Namespace: "default", Name: "edge"}

// place is an API server with a Gateway and many Pods of it.
type place struct {
	*testcluster.Cluster
	b      *testing.B
	tokens []bearer
}

// bearer sends a token with every stream.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

func newPlace(b *testing.B, pods int) *place {
	p := &place{Cluster: testcluster.Start(b), b: b, tokens: make([]bearer, pods)}
	files, err := filepath.Glob("../../manifests/rbac/[^k]*.yaml")
	p.check(err)
	p.ApplyYAML([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + system + "}\n"))
	for _, f := range files {
		raw, err := os.ReadFile(f)
		p.check(err)
		p.ApplyYAML(raw)
	}
	p.ApplyYAML([]byte(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  gatewayClassName: wasmpoint
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: edge, namespace: default}
`))
	each(pods, 16, func(i int) error {
		token, err := p.pod(i)
		p.tokens[i] = token
		return err
	}, p.check)
	return p
}

func (p *place) check(err error) {
	p.b.Helper()
	if err != nil {
		p.b.Fatal(err)
	}
}

// each does f for 0 to n-1, some at once, and then reports the first error.
func each(n, atOnce int, f func(i int) error, report func(error)) {
	var group sync.WaitGroup
	var next atomic.Int64
	errs := make(chan error, n)
	for range atOnce {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs <- f(i)
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		report(err)
	}
}

func name(i int) string { return fmt.Sprintf("edge-%d", i) }

// pod makes the i-th Pod and gives its token.
func (p *place) pod(i int) (bearer, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name(i), Labels: map[string]string{extv1.LabelGatewayName: gateway.Name}},
		Spec:       corev1.PodSpec{ServiceAccountName: "edge", Containers: []corev1.Container{{Name: "envoy", Image: "envoy.invalid/envoy"}}},
	}
	if err := p.Client().Create(context.Background(), pod); err != nil {
		return "", err
	}
	return p.token(pod)
}

// token asks for a token of a Pod.
func (p *place) token(pod *corev1.Pod) (bearer, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "edge"}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{bootstrap.TokenAudience},
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	err := p.Client().SubResource("token").Create(context.Background(), account, request)
	return bearer(request.Status.Token), err
}

// controller runs a controller in this process until stop.
func (p *place) controller(authentication string) (xds string, secure *tls.Config, stop func()) {
	c := cluster.Default()
	c.Namespace, c.Replica, c.DataDir, c.Kubeconfig = system, "bench", p.b.TempDir(), p.KubeconfigFor(system, "wasmpoint")
	for _, at := range []*string{&c.XDS.Address, &c.Modules.Address, &c.Peers.Address, &c.Health.Address} {
		*at = testbed.Address(testbed.FreePort(p.b))
	}
	c.Metrics.Address, c.Admin.Address, c.Proxies.Authentication = "0", "0", authentication
	p.check(c.Complete(os.Getenv, os.Hostname))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cluster.Run(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	testbed.Eventually(p.b, limit, "the controller serves", func() (bool, string) {
		code, _, err := testbed.Get(http.DefaultClient, "http://"+c.Health.Address+"/readyz")
		return code == http.StatusOK, fmt.Sprint(code, err)
	})
	var m corev1.ConfigMap
	p.check(p.Client().Get(ctx, client.ObjectKey{Namespace: system, Name: pki.ConfigMapName}, &m))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(m.Data[pki.CertKey]))
	return c.XDS.Address, &tls.Config{RootCAs: pool, ServerName: pki.ServerName(system), MinVersion: tls.VersionTLS13}, func() {
		cancel()
		p.check(<-ended)
	}
}

// serve connects the first n proxies at once and gives the time until each has its listener and slots, and the CPU time of
// this process, clients and controller.
func (p *place) serve(xds string, secure *tls.Config, n int) (all, cpu time.Duration) {
	done := make(chan struct{}, n)
	proxies := make([]*fakeproxy.Proxy, n)
	before, begin := processCPU(p.b), time.Now()
	each(n, n, func(i int) error {
		var slots []string
		for _, phase := range model.Phases {
			slots = append(slots, names.Slot(model.Scope{Gateway: gateway, Port: 80}, phase))
		}
		missing := len(slots) // one goroutine of the proxy counts
		var err error
		proxies[i], err = fakeproxy.Start(context.Background(), fakeproxy.Config{
			Addr: xds, ID: name(i), Gateway: gateway, Slots: slots,
			Types: []string{"type.googleapis.com/envoy.config.listener.v3.Listener"},
			Dial:  []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(secure)), grpc.WithPerRPCCredentials(p.tokens[i])},
			Arrived: func(r fakeproxy.Resource) {
				if r.Type != fakeproxy.TypeExtensionConfig {
					return
				}
				if missing--; missing == 0 {
					done <- struct{}{}
				}
			},
		})
		return err
	}, p.check)
	for range n {
		select {
		case <-done:
		case <-time.After(limit):
			p.b.Fatalf("not all are served: %v", proxies[0].Err())
		}
	}
	all, cpu = time.Since(begin), processCPU(p.b)-before
	each(n, 32, func(i int) error { proxies[i].Stop(); return nil }, p.check)
	return all, cpu
}

func processCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Two thousand proxies, each with a token of its own, come to a controller that knows none of them; beside it the same
// without authentication.
func BenchmarkTwoThousandStreamsAtOnce(b *testing.B) {
	p := newPlace(b, fleet)
	for _, authentication := range []string{cluster.AuthenticationNone, cluster.AuthenticationRequired} {
		b.Run("authentication="+authentication, func(b *testing.B) {
			p.b = b
			var all, cpu time.Duration
			for b.Loop() {
				b.StopTimer()
				xds, secure, stop := p.controller(authentication)
				b.StartTimer()
				a, c := p.serve(xds, secure, fleet)
				b.StopTimer()
				all, cpu = all+a, cpu+c
				stop()
				b.StartTimer()
			}
			b.ReportMetric(all.Seconds()/float64(b.N), "s/all-served")
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N)/fleet, "µs-CPU/stream")
		})
	}
}

// One proxy after the other, from the connection to its listener and slots: nobody asks who it is, its token is known, and it is not.
func BenchmarkANewStream(b *testing.B) {
	p := newPlace(b, 1)
	b.Run("authentication=none", func(b *testing.B) {
		p.b = b
		xds, secure, stop := p.controller(cluster.AuthenticationNone)
		defer stop()
		for b.Loop() {
			p.serve(xds, secure, 1)
		}
	})
	b.Run("token=known", func(b *testing.B) {
		p.b = b
		xds, secure, stop := p.controller(cluster.AuthenticationRequired)
		defer stop()
		for b.Loop() {
			p.serve(xds, secure, 1)
		}
	})
	b.Run("token=new", func(b *testing.B) {
		p.b = b
		xds, secure, stop := p.controller(cluster.AuthenticationRequired)
		defer stop()
		tokens := p.tokens
		defer func() { p.tokens = tokens }()
		for b.Loop() {
			b.StopTimer()
			fresh, err := p.again()
			p.check(err)
			p.tokens = []bearer{fresh}
			b.StartTimer()
			p.serve(xds, secure, 1)
		}
	})
}

// again is another token of the first Pod.
func (p *place) again() (bearer, error) {
	pod := &corev1.Pod{}
	if err := p.Client().Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name(0)}, pod); err != nil {
		return "", err
	}
	return p.token(pod)
}
