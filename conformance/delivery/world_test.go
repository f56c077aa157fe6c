package delivery_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
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
	server   atomic.Pointer[server.Server] // replaced by a restart, read when a fetch ends
	modules  *moduleServer
	xdsPort  int
	ports    map[int32]int // listener port of a scope -> real port
	grpc     *grpc.Server
	wait     time.Duration
	lanes    lanes
	admin    int // of the proxy started last
}

func newWorld(t *testing.T, scopes ...int32) *world {
	t.Helper()
	w := &world{t: t, hub: cache.NewHub(), ports: map[int32]int{}, xdsPort: testbed.FreePort(t), wait: 30 * time.Second}
	w.modules = newModuleServer(t, func(digest string, q url.Values, complete bool) {
		_ = w.server.Load().Served(digest, q.Get(server.QueryProxy), complete)
	})
	listeners := map[string]*cache.Resource{}
	slots := map[string]*build.Slot{}
	for _, port := range scopes {
		w.ports[port] = w.freePort()
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

// freePort is one that no other scope has.
func (w *world) freePort() int {
	for {
		port := testbed.FreePort(w.t)
		taken := port == w.xdsPort || port == w.modules.port
		for _, other := range w.ports {
			taken = taken || other == port
		}
		if !taken {
			return port
		}
	}
}

// startControlPlane begins serving with an empty memory of proxies, as a started controller does.
func (w *world) startControlPlane() {
	w.t.Helper()
	w.registry = acks.NewRegistry(acks.Events{})
	level := slog.LevelWarn
	if os.Getenv("DEBUG") != "" {
		level = slog.LevelDebug
	}
	x := server.New(server.Options{
		Hub: w.hub, Registry: w.registry, ModuleCluster: names.ModulesCluster, WaitForModule: w.wait,
		Identify: func(context.Context, *corev3.Node) (types.NamespacedName, error) { return gateway, nil },
		ModuleURL: func(digest string, q url.Values) string {
			return "http://modules/modules/sha256/" + digest + ".wasm?" + q.Encode()
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	})
	w.server.Store(x)
	var lis net.Listener
	testbed.Eventually(w.t, soon, "the xDS port", func() (bool, string) {
		var err error
		lis, err = net.Listen("tcp", testbed.Address(w.xdsPort))
		return err == nil, fmt.Sprint(err)
	})
	g := grpc.NewServer(append(server.GRPCOptions(), grpc.StreamInterceptor(w.lanes.intercept))...)
	x.Register(g)
	w.grpc = g // a restart replaces it
	go func() { _ = g.Serve(lis) }()
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
	w.admin = testbed.FreePort(w.t)
	return []byte(`{"node":{"id":"test","cluster":"default/gw"},
"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":` + strconv.Itoa(w.admin) + `}}},
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
		for _, p := range w.registry.All() {
			if r, ok := p.Refused[v.Hash]; ok {
				text = r.Text
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", w.registry.All())
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
