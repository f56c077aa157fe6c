package bootstrap_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func TestAProxyIsReadyWhenItHasItsFirstListenersAndTellsNothingElse(t *testing.T) {
	ready, admin := testbed.Address(testbed.FreePort(t)), testbed.Address(testbed.FreePort(t))
	xds := testbed.Address(testbed.FreePort(t))
	config, err := bootstrap.JSON(bootstrap.Config{
		ID: "replaced", Gateway: types.NamespacedName{Namespace: "shop", Name: "edge"},
		XDS: xds, Modules: xds, Admin: admin, Ready: ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	testbed.StartEnvoy(t, config, "--service-node", "edge-7c9f")
	hc := &http.Client{Timeout: 2 * time.Second}
	ask := func(url string) (int, string) {
		r, err := hc.Get("http://" + url)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return 0, err.Error()
		}
		return r.StatusCode, string(body)
	}
	testbed.Eventually(t, 30*time.Second, "the proxy has started", func() (bool, string) {
		code, body := ask(admin + "/ready")
		return code == http.StatusServiceUnavailable, body
	})
	if code, body := ask(ready + "/ready"); code == http.StatusOK {
		t.Errorf("ready without a controller: %s", body)
	}
	l, err := net.Listen("tcp", xds)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, &ads{listener: front(t, testbed.FreePort(t))})
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
	testbed.Eventually(t, 30*time.Second, "the proxy is ready", func() (bool, string) {
		code, body := ask(ready + "/ready")
		return code == http.StatusOK && strings.HasPrefix(body, "LIVE"), body
	})
	for _, path := range []string{"/", "/stats", "/quitquitquit", "/ready/../stats", "/ready%2f..%2fstats", "/config_dump"} {
		if code, body := ask(ready + path); code != http.StatusNotFound {
			t.Errorf("%s is answered %d %s, want 404", path, code, body)
		}
	}
	if _, body := ask(admin + "/server_info"); !strings.Contains(body, `"id": "edge-7c9f"`) {
		t.Errorf("the node's id is not that of the command line: %s", body)
	}
}
