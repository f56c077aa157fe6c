package delivery_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

var gateway = types.NamespacedName{Namespace: "default", Name: "gw"}

// world is a controller's xDS half on real sockets: hub, server and module server, and the listeners of one gateway whose
// slots the tests fill by hand.
type world struct {
	t        *testing.T
	hub      *cache.Hub
	registry *acks.Registry
	server   *server.Server
	modules  *moduleServer
	xdsPort  int
	ports    map[int32]int // listener port of a scope -> real port
	grpc     *grpc.Server
	wait     time.Duration
}

func newWorld(t *testing.T, scopes ...int32) *world {
	t.Helper()
	w := &world{t: t, hub: cache.NewHub(), ports: map[int32]int{}, xdsPort: testbed.FreePort(t), wait: 30 * time.Second}
	w.modules = newModuleServer(t, func(digest string, q url.Values, complete bool) { w.server.Served(digest, q, complete) })
	listeners := map[string]*cache.Resource{}
	slots := map[string]*build.Slot{}
	for _, port := range scopes {
		w.ports[port] = testbed.FreePort(t)
		scope := model.Scope{Gateway: gateway, Port: port}
		var slotNames []string
		for _, ph := range model.Phases {
			name := names.Slot(scope, ph)
			slots[name] = &build.Slot{Name: name}
			slotNames = append(slotNames, name)
		}
		listeners[names.Listener(scope)] = listener(t, names.Listener(scope), w.ports[port], slotNames)
	}
	prefetch := dataplane.Prefetch(gateway)
	body, err := prefetch.Any()
	if err != nil {
		t.Fatal(err)
	}
	listeners[prefetch.Name] = cache.NewResource(body)
	w.hub.Group(gateway).Apply(cache.Change{
		Slots:     slots,
		Resources: map[string]map[string]*cache.Resource{server.TypeListener: listeners},
	})
	w.startControlPlane()
	t.Cleanup(w.stopControlPlane)
	return w
}

// startControlPlane begins serving with an empty memory of proxies, as a started controller does.
func (w *world) startControlPlane() {
	w.t.Helper()
	w.registry = acks.NewRegistry(acks.Events{})
	level := slog.LevelWarn
	if os.Getenv("DEBUG") != "" {
		level = slog.LevelDebug
	}
	w.server = server.New(server.Options{
		Hub: w.hub, Registry: w.registry, ModuleCluster: names.ModulesCluster, WaitForModule: w.wait,
		Identify: func(context.Context, *corev3.Node) (types.NamespacedName, error) { return gateway, nil },
		ModuleURL: func(digest string, q url.Values) string {
			return "http://modules/modules/sha256/" + digest + ".wasm?" + q.Encode()
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	})
	var lis net.Listener
	testbed.Eventually(w.t, soon, "the xDS port", func() (bool, string) {
		var err error
		lis, err = net.Listen("tcp", testbed.Address(w.xdsPort))
		return err == nil, fmt.Sprint(err)
	})
	w.grpc = grpc.NewServer()
	w.server.Register(w.grpc)
	go func() { _ = w.grpc.Serve(lis) }()
}

func (w *world) stopControlPlane() { w.grpc.Stop() }

// set fills a slot of a scope and phase.
func (w *world) set(port int32, phase model.Phase, entries ...build.Entry) {
	name := names.Slot(model.Scope{Gateway: gateway, Port: port}, phase)
	w.hub.Group(gateway).Apply(cache.Change{Slots: map[string]*build.Slot{name: {Name: name, Entries: entries}}})
}

// envoy starts a proxy of the gateway.
func (w *world) envoy() *testbed.Envoy {
	w.t.Helper()
	return testbed.StartEnvoy(w.t, w.bootstrap())
}

func (w *world) bootstrap() []byte {
	cluster := func(name string, port int, http2 bool) string {
		options := ""
		if http2 {
			options = `,"typed_extension_protocol_options":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions","explicit_http_config":{"http2_protocol_options":{}}}}`
		}
		return fmt.Sprintf(`{"name":%q,"type":"STATIC","connect_timeout":"1s"%s,"load_assignment":{"cluster_name":%q,"endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":%d}}}}]}]}}`, name, options, name, port)
	}
	return []byte(`{"node":{"id":"test","cluster":"default/gw"},
"dynamic_resources":{"ads_config":{"api_type":"DELTA_GRPC","transport_api_version":"V3","grpc_services":[{"envoy_grpc":{"cluster_name":"wasmpoint-xds"}}]},"lds_config":{"ads":{},"resource_api_version":"V3"},"cds_config":{"ads":{},"resource_api_version":"V3"}},
"static_resources":{"clusters":[` + cluster(names.XDSCluster, w.xdsPort, true) + "," + cluster(names.ModulesCluster, w.modules.port, false) + `]}}`)
}

// get asks a scope's listener once and returns status and the x-plugins header.
func (w *world) get(port int32) (int, string, error) {
	status, h, err := testbed.Get(client, fmt.Sprintf("http://127.0.0.1:%d/", w.ports[port]))
	if err != nil {
		return 0, "", err
	}
	return status, strings.Join(h.Values("x-plugins-response"), ","), nil
}

var client = &http.Client{Timeout: 5 * time.Second}

// wants waits until a scope answers with the status and the plugins.
func (w *world) wants(port int32, limit time.Duration, status int, plugins string) {
	w.t.Helper()
	testbed.Eventually(w.t, limit, fmt.Sprintf("port %d answers %d with plugins %q", port, status, plugins), func() (bool, string) {
		s, p, err := w.get(port)
		return err == nil && s == status && p == plugins, fmt.Sprintf("status %d, plugins %q, error %v", s, p, err)
	})
}

// refusal waits for a proxy's refusal of a variant and returns its text.
func (w *world) refusal(limit time.Duration, v *build.Variant) string {
	w.t.Helper()
	text := ""
	testbed.Eventually(w.t, limit, "a refusal of "+v.Plugin.Name, func() (bool, string) {
		for _, p := range w.registry.Proxies(types.NamespacedName{}) {
			if r, ok := p.Refused[v.Hash]; ok {
				text = r.Text
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", w.registry.Proxies(types.NamespacedName{}))
	})
	return text
}

// marker makes a module available that differs from all others, and returns its digest.
func (w *world) marker(seed string) string {
	return w.modules.add(wasmtest.Unique(wasmtest.Marker(w.t), seed))
}

// refusing makes an entry whose configuration the module refuses.
func (w *world) refusing(name, digest string) (build.Entry, *build.Variant) {
	return w.entry(name, digest, `{"name":"refusing","refuse":true}`)
}

// body is what a scope answers.
func (w *world) body(port int32) string {
	w.t.Helper()
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", w.ports[port]))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// plugin makes an entry whose module is here and marks responses with the given text.
func (w *world) plugin(name, digest, mark string) (build.Entry, *build.Variant) {
	return w.entry(name, digest, fmt.Sprintf(`{"name":%q}`, mark))
}

func (w *world) entry(name, digest, config string) (build.Entry, *build.Variant) {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: name}, Type: model.TypeHTTP,
		FailStrategy: model.FailClose, Wasm: &model.Wasm{Config: []byte(config)},
	}
	v := build.NewVariant(p, digest)
	return build.Entry{Plugin: p.Key, Fail: p.FailStrategy, Variants: []*build.Variant{v}, Wanted: v.Hash}, v
}

func listener(t *testing.T, name string, port int, slots []string) *cache.Resource {
	t.Helper()
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: "in",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			Name: "r", VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
				Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
			}}}},
		}},
	}
	for _, s := range slots {
		hcm.HttpFilters = append(hcm.HttpFilters, &hcmv3.HttpFilter{Name: s, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{
			ConfigDiscovery: &corev3.ExtensionConfigSource{
				ConfigSource: &corev3.ConfigSource{
					ResourceApiVersion: corev3.ApiVersion_V3, InitialFetchTimeout: durationpb.New(0),
					ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
				},
				TypeUrls: []string{"type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig"},
			},
		}})
	}
	hcm.HttpFilters = append(hcm.HttpFilters, &hcmv3.HttpFilter{
		Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(t, &routerv3.Router{})},
	})
	return cache.NewResource(pack(t, &listenerv3.Listener{
		Name: name,
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(t, hcm)},
		}}}},
	}))
}

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// moduleServer serves modules by digest, with a delay or a failure when a test wants one.
type moduleServer struct {
	port   int
	onDone func(string, url.Values, bool)

	mu      sync.Mutex
	modules map[string][]byte
	delay   map[string]time.Duration
	broken  map[string]bool
	fetches map[string]int
}

func newModuleServer(t *testing.T, onDone func(string, url.Values, bool)) *moduleServer {
	t.Helper()
	m := &moduleServer{onDone: onDone, modules: map[string][]byte{}, delay: map[string]time.Duration{}, broken: map[string]bool{}, fetches: map[string]int{}}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = lis.Addr().(*net.TCPAddr).Port
	s := &http.Server{Handler: m, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

func (m *moduleServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	digest := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/modules/sha256/"), ".wasm")
	m.mu.Lock()
	body, delay, broken := m.modules[digest], m.delay[digest], m.broken[digest]
	m.fetches[digest]++
	m.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	if body == nil || broken {
		rw.WriteHeader(http.StatusServiceUnavailable)
		m.onDone(digest, r.URL.Query(), false)
		return
	}
	_, err := rw.Write(body)
	m.onDone(digest, r.URL.Query(), err == nil)
}

// add makes a module available and returns its digest.
func (m *moduleServer) add(body []byte) string {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.modules[digest] = body
	return digest
}

func (m *moduleServer) set(digest string, delay time.Duration, broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay[digest], m.broken[digest] = delay, broken
}

func (m *moduleServer) fetched(digest string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetches[digest]
}
