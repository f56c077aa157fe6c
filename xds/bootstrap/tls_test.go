package bootstrap_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

func authority(t *testing.T, namespace string) *pki.Authority {
	t.Helper()
	cert, key, err := pki.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.New(namespace, cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func serverTLS(t *testing.T, a *pki.Authority) *tls.Config {
	t.Helper()
	c, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ads is an xDS server that gives every proxy one listener.
type ads struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	listener *anypb.Any
}

func (s *ads) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if r.ResponseNonce != "" || r.TypeUrl != "type.googleapis.com/envoy.config.cluster.v3.Cluster" && r.TypeUrl != s.listener.TypeUrl {
			continue
		}
		answer := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: r.TypeUrl, Nonce: "1"}
		if r.TypeUrl == s.listener.TypeUrl {
			answer.Resources = []*discoveryv3.Resource{{Name: "front", Version: "1", Resource: s.listener}}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// front is a listener on a port that forwards to the module server.
func front(t *testing.T, port int) *anypb.Any {
	t.Helper()
	pack := func(m proto.Message) *anypb.Any {
		a, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:  "front",
		HttpFilters: []*hcmv3.HttpFilter{{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&routerv3.Router{})}}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
			Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
				Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: names.ModulesCluster}}},
			}},
		}}}},
	}
	return pack(&listenerv3.Listener{
		Name: "front",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager)},
		}}}},
	})
}

// serve starts an xDS server over TLS; proxies get the listener front on the given port.
func serve(t *testing.T, config *tls.Config, port int) string {
	t.Helper()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, &ads{listener: front(t, port)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

// refusals is what the module server says of failed handshakes.
type refusals struct {
	mu   sync.Mutex
	text string
}

func (r *refusals) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = string(p)
	return len(p), nil
}

func (r *refusals) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text
}

// modules starts a module server over TLS.
func modules(t *testing.T, config *tls.Config) (address string, refused *refusals) {
	t.Helper()
	refused = &refusals{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s over %s", r.URL.Path, r.Proto)
	}))
	s.TLS, s.Config.ErrorLog = config, log.New(refused, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), refused
}

// start runs a proxy and gives the port of its admin endpoint.
func start(t *testing.T, xds, modules string, secure *bootstrap.TLS) int {
	t.Helper()
	admin := testbed.FreePort(t)
	config, err := bootstrap.JSON(bootstrap.Config{
		ID: "p", Gateway: types.NamespacedName{Namespace: "shop", Name: "edge"}, XDS: xds, Modules: modules, TLS: secure, Admin: testbed.Address(admin),
	})
	if err != nil {
		t.Fatal(err)
	}
	testbed.StartEnvoy(t, config)
	return admin
}

func get(port int, path string) (string, error) {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + testbed.Address(port) + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, b), err
}

// counter reads a statistic of a real Envoy.
func counter(port int, name string) (int, string) {
	text, err := get(port, "/stats?filter=^"+name+"$")
	if err != nil {
		return 0, err.Error()
	}
	_, value, _ := strings.Cut(text, ": ")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil {
		return 0, text
	}
	return n, text
}

func TestARealEnvoyReachesItsControllerOverTLS(t *testing.T) {
	a := authority(t, "wasmpoint-system")
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, a.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, secure := range map[string]*bootstrap.TLS{
		"with the CA inside the bootstrap": {CA: a.CAPEM(), Name: a.ServerName()},
		"with the CA in a file":            {CAFile: file, Name: a.ServerName()},
	} {
		t.Run(name, func(t *testing.T) {
			port := testbed.FreePort(t)
			address, _ := modules(t, serverTLS(t, a))
			start(t, serve(t, serverTLS(t, a), port), address, secure)
			testbed.Eventually(t, 20*time.Second, "a module through the proxy", func() (bool, string) {
				got, err := get(port, "/module")
				return got == "200 /module over HTTP/1.1", fmt.Sprint(got, err)
			})
		})
	}
}

func TestARealEnvoyRefusesAServerThatIsNotItsController(t *testing.T) {
	a, stranger := authority(t, "wasmpoint-system"), authority(t, "wasmpoint-system")
	for _, c := range []struct {
		name    string
		server  *tls.Config
		secure  bootstrap.TLS
		counter string
	}{
		{"one of another CA", serverTLS(t, stranger), bootstrap.TLS{CA: a.CAPEM(), Name: a.ServerName()}, "ssl.fail_verify_error"},
		{"one of the same CA under another name", serverTLS(t, a), bootstrap.TLS{CA: a.CAPEM(), Name: pki.ServerName("elsewhere")}, "ssl.fail_verify_san"},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := testbed.FreePort(t)
			admin := start(t, serve(t, c.server, port), "127.0.0.1:1", &c.secure)
			testbed.Eventually(t, 20*time.Second, "the server is refused", func() (bool, string) {
				n, text := counter(admin, "cluster.wasmpoint-xds."+c.counter)
				return n > 0, text
			})
			if n, text := counter(admin, "listener_manager.total_listeners_active"); n != 0 || text != "200 listener_manager.total_listeners_active: 0\n" {
				t.Errorf("the proxy took something from it: %s", text)
			}
		})
	}
}

func TestAModuleServerOfAnotherCAIsRefused(t *testing.T) {
	a, stranger := authority(t, "wasmpoint-system"), authority(t, "wasmpoint-system")
	port := testbed.FreePort(t)
	address, refused := modules(t, serverTLS(t, stranger))
	start(t, serve(t, serverTLS(t, a), port), address, &bootstrap.TLS{CA: a.CAPEM(), Name: a.ServerName()})
	testbed.Eventually(t, 20*time.Second, "the module server is refused", func() (bool, string) {
		got, err := get(port, "/module")
		return strings.HasPrefix(got, "503 ") && strings.Contains(refused.last(), "unknown certificate authority"), fmt.Sprint(got, err, refused.last())
	})
}

func TestWrongTLSIsRefusedByName(t *testing.T) {
	cert, key, err := pki.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tls  bootstrap.TLS
		want string
	}{
		{bootstrap.TLS{CA: cert}, "bootstrap: TLS.Name is empty; "},
		{bootstrap.TLS{Name: "a"}, "bootstrap: exactly one of TLS.CA and TLS.CAFile must be set"},
		{bootstrap.TLS{Name: "a", CA: cert, CAFile: "/ca.crt"}, "bootstrap: exactly one of TLS.CA and TLS.CAFile must be set"},
		{bootstrap.TLS{Name: "a", CA: append(cert, key...)}, `bootstrap: TLS.CA holds a PEM block "PRIVATE KEY"; `},
		{bootstrap.TLS{Name: "a", CA: cert, CertFile: "/tls.crt"}, `bootstrap: TLS.CertFile "/tls.crt" and TLS.KeyFile "": one does nothing without the other; `},
		{bootstrap.TLS{Name: "a", CA: []byte("nothing")}, "bootstrap: TLS.CA must be certificates in PEM form, and nothing else; found 0 certificates and 7 further bytes"},
	} {
		config := bootstrap.Config{ID: "p", XDS: "127.0.0.1:1", Modules: "127.0.0.1:2", Admin: "127.0.0.1:3", TLS: &c.tls}
		if _, err := bootstrap.JSON(config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestWithoutTLSNoTransportSocketIsSet(t *testing.T) {
	m, err := bootstrap.Message(bootstrap.Config{ID: "p", XDS: "127.0.0.1:1", Modules: "127.0.0.1:2", Admin: "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.StaticResources.Clusters {
		if c.TransportSocket != nil || c.GetType() != clusterv3.Cluster_STATIC {
			t.Errorf("got %v", c)
		}
	}
}
