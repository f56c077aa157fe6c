//go:build faults

package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
)

// TestAReplicaThatIsCutOff has two replicas of which the second, which follows, loses the API server.
func TestAReplicaThatIsCutOff(t *testing.T) {
	t.Parallel()
	stale := func(c *cluster.Config) { c.StaleAfter = metav1.Duration{Duration: 20 * time.Second} }
	w := newWorld(t).replicas("a", "b")
	a := w.start("a", stale).ready()
	w.logged("this replica leads")
	link := w.Link()
	b := w.start("b", stale, through(link)).ready()

	for _, fault := range []struct {
		name  string
		begin func()
	}{{"stall", link.Stall}, {"cut", link.Cut}} {
		t.Run("its proxies go on, new ones get no answer, and then the current one ("+fault.name+")", func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			old, fresh := w.in(t).scene("old-"+fault.name), w.in(t).scene("new-"+fault.name)
			old.guard("one")
			fresh.guard("one")
			b.proxy("old-1", old.gateway)
			b.proxy("old-fresh", fresh.gateway).Stop() // the replica has all that its proxies need
			old.guarded("one")
			old.programmed()

			l := old.load("one")
			fault.begin()
			// What a new proxy would be told wrongly: that "one" is let in.
			fresh.guard("two")
			b.w.eventually("the cut off replica is not ready", func() (bool, string) {
				ready, why := b.isReady()
				return !ready, why
			})
			if got := b.askFake(fresh.gateway); got != codes.Unavailable {
				t.Errorf("a new stream ended with %s, want Unavailable", got)
			}
			b.proxy("fresh", fresh.gateway)
			answers := fresh.watch("one")
			if ready, why := a.isReady(); !ready {
				t.Errorf("the other replica is not ready: %s", why)
			}
			a.proxy("other", old.gateway) // takes its share of the load
			old.status("has two proxies", func(p *extv1.WasmPlugin) bool {
				return is("Programmed", "True")(p) && message(p, "Programmed") == "2/2 proxies run it"
			})

			back := time.Now()
			link.Restore()
			// client-go tries again after up to a minute, and so does Envoy after up to half of that.
			fresh.wait(2*time.Minute, "the new proxy is answered", func() (bool, string) { return fresh.ask("two") == passed, fmt.Sprint(fresh.ask("two")) })
			t.Logf("the new proxy was served %s after the link was back", time.Since(back).Round(100*time.Millisecond))
			b.waitReady(time.Minute)
			zeroFailures(t, l)
			if got := answers(); slices.Contains(got, passed) {
				t.Errorf("a new proxy was told what was not so any more: answers %v to the old password", got)
			} else if !slices.Contains(got, denied) {
				t.Errorf("answers %v to the old password; want %d at the end", got, denied)
			}
			old.guard("two")
			old.guarded("two")
		})
	}
}

// askFake opens a stream as a proxy of a Gateway, and gives the code with which it ends; OK if something arrives.
func (r *replica) askFake(gateway types.NamespacedName) codes.Code {
	r.w.t.Helper()
	var arrived atomic.Bool
	p, err := fakeproxy.Start(context.Background(), fakeproxy.Config{
		Addr: r.config.XDS.Address, ID: "fake", Gateway: gateway, Dial: r.dial(),
		Types:   []string{"type.googleapis.com/envoy.config.listener.v3.Listener"},
		Arrived: func(fakeproxy.Resource) { arrived.Store(true) },
	})
	if err != nil {
		return status.Code(err)
	}
	defer p.Stop()
	var code codes.Code
	r.w.eventually("a stream ends or is answered", func() (bool, string) {
		if arrived.Load() {
			return true, ""
		}
		code = status.Code(p.Err())
		return p.Err() != nil, "nothing happens"
	})
	return code
}

// dial is how a protocol client reaches the replica.
func (r *replica) dial() []grpc.DialOption {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(r.w.ca())
	return []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: pool, ServerName: pki.ServerName(namespace), MinVersion: tls.VersionTLS12,
	}))}
}

// watch asks all the time with a password; the returned function ends that and gives the distinct answers.
func (s *scene) watch(password string) func() []int {
	var mu sync.Mutex
	var got []int
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			code := s.ask(password)
			mu.Lock()
			if !slices.Contains(got, code) {
				got = append(got, code)
			}
			mu.Unlock()
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	s.t.Cleanup(end)
	return func() []int {
		end()
		return got
	}
}
