package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

var gw = types.NamespacedName{Namespace: "default", Name: "gw"}

type plane struct {
	hub      *cache.Hub
	registry *acks.Registry
	server   *server.Server
	addr     string
}

func start(t *testing.T) *plane {
	t.Helper()
	return startWith(t, server.Hooks{})
}

func startWith(t *testing.T, hooks server.Hooks) *plane {
	t.Helper()
	return startAs(t, func(o *server.Options) { o.Hooks = hooks })
}

func startAs(t *testing.T, change func(*server.Options)) *plane {
	t.Helper()
	p := &plane{hub: cache.NewHub(), registry: acks.NewRegistry(acks.Events{})}
	o := server.Options{
		Hub: p.hub, Registry: p.registry, ModuleCluster: names.ModulesCluster,
		Identify: func(_ context.Context, n *corev3.Node) (types.NamespacedName, error) {
			ns, name, ok := strings.Cut(n.GetCluster(), "/")
			if !ok {
				return types.NamespacedName{}, errors.New("no gateway in node.cluster")
			}
			return types.NamespacedName{Namespace: ns, Name: name}, nil
		},
		ModuleURL: func(d string, q url.Values) string { return "http://m/" + d + "?" + q.Encode() },
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	change(&o)
	p.server = server.New(o)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(server.GRPCOptions()...)
	p.server.Register(g)
	go func() { _ = g.Serve(lis) }()
	t.Cleanup(g.Stop)
	p.addr = lis.Addr().String()
	return p
}

func node(gateway string) *corev3.Node { return &corev3.Node{Id: "p", Cluster: gateway} }

func slotName(port int32) string {
	return names.Slot(model.Scope{Gateway: gw, Port: port}, model.PhaseAuthn)
}

// lua is a ready entry without a module.
func lua(name, source string) build.Entry {
	v := build.NewVariant(&model.Plugin{Key: model.Key{Kind: "TrafficExtension", Namespace: "default", Name: name}, Lua: source}, "")
	return build.Entry{Plugin: v.Plugin, Variants: []*build.Variant{v}, Wanted: v.Hash}
}

func (p *plane) set(entries []build.Entry, ports ...int32) {
	slots := map[string]*build.Slot{}
	for _, port := range ports {
		slots[slotName(port)] = &build.Slot{Name: slotName(port), Entries: entries}
	}
	p.hub.Group(gw).Apply(cache.Change{Slots: slots})
}

func (p *plane) remove(ports ...int32) {
	slots := map[string]*build.Slot{}
	for _, port := range ports {
		slots[slotName(port)] = nil
	}
	p.hub.Group(gw).Apply(cache.Change{Slots: slots})
}

func ports(n int) (list []int32, slots []string) {
	for i := range n {
		list = append(list, int32(1000+i))
		slots = append(slots, slotName(int32(1000+i)))
	}
	return list, slots
}

func resources(url string, names ...string) map[string]map[string]*cache.Resource {
	out := map[string]*cache.Resource{}
	for _, n := range names {
		out[n] = cache.NewResource(&anypb.Any{TypeUrl: url, Value: []byte(n)})
	}
	return map[string]map[string]*cache.Resource{url: out}
}

// slot is what the connected proxy does with a slot.
func (p *plane) slot(name string) acks.Slot {
	for _, proxy := range p.registry.Proxies(gw) {
		return proxy.Slots[name]
	}
	return acks.Slot{}
}

func (p *plane) refusedTypes() map[string]acks.Refusal {
	for _, proxy := range p.registry.Proxies(gw) {
		return proxy.RefusedTypes
	}
	return nil
}
