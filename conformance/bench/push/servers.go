package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	gcpcache "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	gcpserver "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// gateway is the Gateway of all proxies.
var gateway = types.NamespacedName{Namespace: "default", Name: "gw"}

// configSize is the size of the configuration that changes, in bytes.
const configSize = 600

// configuration is one of that size that holds a mark.
func configuration(mark string) string {
	return fmt.Sprintf(`{"mark":%q,"pad":%q}`, mark, strings.Repeat("x", configSize-len(`{"mark":"","pad":""}`)-len(mark)))
}

// controlPlane is what is measured.
type controlPlane interface {
	// register adds it to a gRPC server.
	register(*grpc.Server)
	// change puts a configuration with the mark into force.
	change(mark string)
	// unrelated changes something that no proxy asked for.
	unrelated(i int)
	// proxy is how a proxy asks for what change changes.
	proxy() fakeproxy.Config
	options() []grpc.ServerOption
}

// start serves a control plane on loopback.
func start(kind string) (c controlPlane, addr string, stop func(), err error) {
	switch kind {
	case "ours":
		c = newOurs()
	case "floor":
		c = newFloor()
	default:
		return nil, "", nil, fmt.Errorf("control plane %q: give ours or floor", kind)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	g := grpc.NewServer(c.options()...)
	c.register(g)
	go func() { _ = g.Serve(l) }() // ends with Stop
	return c, l.Addr().String(), g.Stop, nil
}

// ours is wasmpoint from the hub on: one slot with one plugin whose module the proxies run.
type ours struct {
	hub    *cache.Hub
	server *server.Server
	slot   string
}

func newOurs() *ours {
	o := &ours{hub: cache.NewHub(), slot: names.Slot(model.Scope{Gateway: gateway, Port: 80}, model.PhaseAuthn)}
	o.server = server.New(server.Options{
		Hub: o.hub, Registry: acks.NewRegistry(acks.Events{Changed: func(acks.Change) {}, Runs: func(string) {}}),
		Identify:      func(context.Context, *corev3.Node) (types.NamespacedName, error) { return gateway, nil },
		ModuleCluster: names.ModulesCluster,
		ModuleURL: func(digest string, q url.Values) string {
			return "http://" + names.ModulesCluster + "/modules/sha256/" + digest + ".wasm?" + q.Encode()
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return o
}

func (o *ours) register(g *grpc.Server) { o.server.Register(g) }

func (o *ours) options() []grpc.ServerOption { return server.GRPCOptions() }

func (o *ours) change(mark string) { o.set(gateway, o.slot, "plugin", mark) }

func (o *ours) unrelated(i int) {
	n := strconv.Itoa(i % 1000)
	o.set(gateway, names.Slot(model.Scope{Gateway: gateway, Port: 81}, model.PhaseAuthn), "of-another-port", "unrelated-"+strconv.Itoa(i))
	other := types.NamespacedName{Namespace: "default", Name: "other-" + n}
	o.set(other, names.Slot(model.Scope{Gateway: other, Port: 80}, model.PhaseAuthn), "other-"+n, "unrelated-"+strconv.Itoa(i))
}

func (o *ours) set(gw types.NamespacedName, slot, plugin, mark string) {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: plugin}, FailStrategy: model.FailClose,
		Wasm: &model.Wasm{Config: []byte(configuration(mark))},
	}
	v := build.NewVariant(p, strings.Repeat("ab", 32))
	o.hub.Group(gw).Apply(cache.Change{Slots: map[string]*build.Slot{slot: {
		Name: slot, Entries: []build.Entry{{Plugin: p.Key, Fail: p.FailStrategy, Variants: []*build.Variant{v}, Wanted: v.Hash}},
	}}})
}

func (o *ours) proxy() fakeproxy.Config {
	return fakeproxy.Config{ID: "proxy", Gateway: gateway, Slots: []string{o.slot}, Lane: true}
}

// floor is the least that a control plane can be: go-control-plane's linear cache and its delta server, which know nothing
// of what a proxy can take.
type floor struct{ cache *gcpcache.LinearCache }

func newFloor() *floor { return &floor{gcpcache.NewLinearCache(server.TypeExtensionConfig)} }

func (f *floor) register(g *grpc.Server) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, gcpserver.NewServer(context.Background(), f.cache, gcpserver.CallbackFuncs{}))
}

func (f *floor) options() []grpc.ServerOption { return nil }

func (f *floor) change(mark string) { f.set("default.plugin", mark) }

func (f *floor) unrelated(i int) {
	f.set("default.other-"+strconv.Itoa(i%1000), "unrelated-"+strconv.Itoa(i))
}

func (f *floor) set(name, mark string) {
	a, err := anypb.New(wrapperspb.String(configuration(mark)))
	if err == nil {
		err = f.cache.UpdateResource(name, &corev3.TypedExtensionConfig{Name: name, TypedConfig: a})
	}
	if err != nil {
		panic(err) // a broken benchmark measures nothing
	}
}

func (f *floor) proxy() fakeproxy.Config {
	return fakeproxy.Config{ID: "proxy", Gateway: gateway, Slots: []string{"default.plugin"}}
}
