package bootstrap_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func TestADrainIsAskedForByItsSecretAndEndsConnectionsWhileNewOnesAreTaken(t *testing.T) {
	ready, port := testbed.Address(testbed.FreePort(t)), testbed.FreePort(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, &ads{listener: front(t, port)})
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
	drain := &bootstrap.Drain{Secret: "0123456789abcdef", For: time.Second}
	config, err := bootstrap.JSON(bootstrap.Config{
		ID: "edge-1", Gateway: types.NamespacedName{Namespace: "shop", Name: "edge"}, XDS: l.Addr().String(),
		Modules: upstream.Listener.Addr().String(), Admin: testbed.Address(testbed.FreePort(t)), Ready: ready, Drain: drain,
	})
	if err != nil {
		t.Fatal(err)
	}
	testbed.StartEnvoy(t, config, "--drain-strategy", "immediate", "--drain-time-s", "600")
	// ask sends a request on a kept connection, if there is one.
	kept := &http.Client{Timeout: 20 * time.Second}
	ask := func(url string) (ends bool, err error) {
		r, err := kept.Get("http://" + url)
		if err != nil {
			return false, err
		}
		if r.Body.Close(); r.StatusCode != http.StatusOK {
			return false, fmt.Errorf("status %d", r.StatusCode)
		}
		return r.Close, nil
	}
	at := fmt.Sprintf("127.0.0.1:%d/", port)
	testbed.Eventually(t, 30*time.Second, "the proxy serves", func() (bool, string) {
		ends, err := ask(at)
		return err == nil && !ends, fmt.Sprint(err)
	})
	for _, path := range []string{"/drain/", "/drain/0123456789abcdeF", "/drain/0123456789abcdef/", "/drain"} {
		if _, err := ask(ready + path); err == nil || err.Error() != "status 404" {
			t.Errorf("%s: %v, want status 404", path, err)
		}
	}
	if ends, err := ask(at); ends || err != nil {
		t.Errorf("after wrong secrets connections end (%v), error %v", ends, err)
	}

	over := make(chan time.Duration, 1)
	go func() {
		begin := time.Now()
		if _, err := ask(ready + drain.Path()); err != nil {
			t.Errorf("the drain: %v", err)
		}
		over <- time.Since(begin)
	}()
	testbed.Eventually(t, 30*time.Second, "answers end their connections", func() (bool, string) {
		ends, err := ask(at)
		return ends, fmt.Sprint(err)
	})
	for answered := 0; ; answered++ {
		select {
		case took := <-over:
			if took < drain.For-50*time.Millisecond || answered == 0 {
				t.Errorf("it took %s, in which %d requests were answered", took, answered)
			}
			return
		default:
		}
		if ends, err := ask(at); err != nil || !ends {
			t.Fatalf("during the drain: connection ends %v, error %v", ends, err)
		}
	}
}

func TestADrainNeedsASecretAndATime(t *testing.T) {
	for want, drain := range map[string]bootstrap.Drain{
		"Drain.Secret has 5 characters": {Secret: "short", For: time.Second},
		"Drain.Secret has 17":           {Secret: "0123456789abcdef/", For: time.Second},
		"Drain.For 0s":                  {Secret: "0123456789abcdef"},
	} {
		_, err := bootstrap.JSON(bootstrap.Config{ID: "x", XDS: "h:1", Modules: "h:2", Admin: "127.0.0.1:3", Ready: "0.0.0.0:4", Drain: &drain})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", drain, err, want)
		}
	}
}
