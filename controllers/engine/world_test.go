package engine

import (
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sort"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// world is an engine without its goroutine: a test posts work and does the turns itself.
type world struct {
	*Engine
	t        *testing.T
	hub      *cache.Hub
	registry *acks.Registry
	modules  *fakeModules
	good     *memory
	network  fakeNetwork
	now      time.Time
	// changes counts the calls of OnChange.
	changes int
}

func newWorld(t *testing.T) *world {
	return newWorldWith(t, newFakeModules(), &memory{}, fakeNetwork{})
}

// newWorldWith starts on what another world left behind.
func newWorldWith(t *testing.T, m *fakeModules, good *memory, network fakeNetwork) *world {
	t.Helper()
	w := &world{
		t: t, hub: cache.NewHub(), registry: acks.NewRegistry(acks.Events{}), modules: m, good: good, network: network,
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	var err error
	w.Engine, err = New(Options{
		Modules: m, Hub: w.hub, Registry: w.registry, LastGood: good, Now: func() time.Time { return w.now },
		OnChange: func() { w.changes++ }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// apply takes objects in, or out where a store.Ref stands, in one batch and one turn.
func (w *world) apply(objects ...any) {
	w.t.Helper()
	w.Apply(events(objects...), w.network, nil, nil)
	w.turn()
}

func events(objects ...any) []store.Event {
	var out []store.Event
	for _, o := range objects {
		if ref, ok := o.(store.Ref); ok {
			out = append(out, store.Event{Deleted: ref})
			continue
		}
		out = append(out, store.Event{Object: o})
	}
	return out
}

// module makes a URL's module ready with a digest, or not ready for a reason when the digest is "".
func (w *world) module(url, digest, reason string) {
	w.modules.set(url, digest, reason)
	w.turn()
}

func (w *world) wait(d time.Duration) {
	w.now = w.now.Add(d)
	w.turn()
}

// entry is the entry of a plugin in the AUTHN slot of gateway default/gw, port 80.
func (w *world) entry(name string) build.Entry {
	w.t.Helper()
	slot := w.hub.Group(named2("gw")).Slot(names.Slot(model.Scope{Gateway: named2("gw"), Port: 80}, model.PhaseAuthn))
	if slot == nil {
		w.t.Fatal("gateway default/gw has no slot on port 80")
	}
	for _, e := range slot.Entries {
		if e.Plugin.Name == name {
			return e
		}
	}
	w.t.Fatalf("plugin %s is not in the slot, which has %d entries", name, len(slot.Entries))
	return build.Entry{}
}

func named2(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// digests are the modules of an entry's variants, best first.
func digests(e build.Entry) []string {
	out := []string{}
	for _, v := range e.Variants {
		out = append(out, v.Digest)
	}
	return out
}

// content is everything in the hub of some gateways, as one line per slot and resource. Equal lines mean equal bytes on
// the wire: a resource's version is a hash of its bytes, a slot's key holds the hashes of its variants.
func content(hub *cache.Hub, gateways []types.NamespacedName) []string {
	var out []string
	for _, gw := range gateways {
		g := hub.Group(gw)
		for _, url := range []string{dataplane.TypeCluster, dataplane.TypeEndpoint, dataplane.TypeSecret, dataplane.TypeListener, dataplane.TypeRoute} {
			for name, r := range g.Resources(url) {
				out = append(out, fmt.Sprint(gw, " ", name, " ", r.Version))
			}
		}
		for _, name := range g.SlotNames() {
			line := fmt.Sprint(gw, " ", name)
			for _, e := range g.Slot(name).Entries {
				line += fmt.Sprintf(" [%s %s pending=%v wanted=%s", e.Plugin, e.Fail, e.Pending, e.Wanted)
				for _, v := range e.Variants {
					line += " " + v.Hash
				}
				line += "]"
			}
			out = append(out, line)
		}
	}
	sort.Strings(out)
	return out
}

// missingSlots are the slots that a gateway's listeners name and its cache does not have.
func missingSlots(t *testing.T, g *cache.Group) []string {
	t.Helper()
	var out []string
	check := func(name string) {
		n, err := names.ParseSlot(name)
		if err != nil {
			t.Fatal(err)
		}
		if n.Kind != names.KindPrefetch && g.Slot(name) == nil { // the server fills prefetch slots by itself
			out = append(out, name)
		}
	}
	for _, r := range g.Resources(dataplane.TypeListener) {
		var l listenerv3.Listener
		if err := r.Body.UnmarshalTo(&l); err != nil {
			t.Fatal(err)
		}
		for _, c := range l.FilterChains {
			for _, f := range c.Filters {
				if f.GetConfigDiscovery() != nil {
					check(f.Name)
				}
				var m hcmv3.HttpConnectionManager
				if f.GetTypedConfig().MessageIs(&m) {
					if err := f.GetTypedConfig().UnmarshalTo(&m); err != nil {
						t.Fatal(err)
					}
					for _, h := range m.HttpFilters {
						if h.GetConfigDiscovery() != nil {
							check(h.Name)
						}
					}
				}
			}
		}
	}
	return out
}

// watcher remembers what a gateway's streams are told.
type watcher struct{ updates []cache.Update }

func (w *watcher) Notify(u cache.Update) { w.updates = append(w.updates, u) }

// fakeModules answers by URL.
type fakeModules struct {
	states map[string]modules.State
	wants  map[string]string
	notify func(owner string)
	pinned []string
}

func newFakeModules() *fakeModules {
	return &fakeModules{states: map[string]modules.State{}, wants: map[string]string{}}
}

func (m *fakeModules) Want(owner string, s modules.Source) modules.State {
	m.wants[owner] = s.URL
	return m.State(owner)
}
func (m *fakeModules) Release(owner string)             { delete(m.wants, owner) }
func (m *fakeModules) State(owner string) modules.State { return m.states[m.wants[owner]] }
func (m *fakeModules) Subscribe(f func(string))         { m.notify = f }
func (m *fakeModules) Pin(digests []string)             { m.pinned = digests }

func (m *fakeModules) set(url, digest, reason string) {
	m.states[url] = modules.State{Ready: digest != "", Digest: digest, Reason: reason}
	for owner, want := range m.wants {
		if want == url {
			m.notify(owner)
		}
	}
}

// memory is a LastGood that survives its engine.
type memory struct {
	content map[model.Key][]*build.Variant
	saves   int
}

func (m *memory) Load() (map[model.Key][]*build.Variant, error) {
	out := map[model.Key][]*build.Variant{}
	for k, v := range m.content {
		out[k] = slices.Clone(v)
	}
	return out, nil
}

func (m *memory) Save(good map[model.Key][]*build.Variant) error {
	m.content, m.saves = good, m.saves+1
	return nil
}

// fakeNetwork gives everything an address made of its name and of a number that moves it; with 255 it has none, with shared
// the one that all have that want it.
type fakeNetwork map[store.Ref]byte

const shared = 254

func (n fakeNetwork) address(r store.Ref) []netip.Addr {
	if n[r] == 255 {
		return nil
	}
	if n[r] == shared {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 255, 255, shared})}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.String()))
	sum := h.Sum32()
	return []netip.Addr{netip.AddrFrom4([4]byte{127, byte(sum >> 8), byte(sum), 1 + n[r]})}
}

func (n fakeNetwork) Gateway(gw types.NamespacedName) []netip.Addr {
	return n.address(store.Ref{Kind: store.KindGateway, NamespacedName: gw})
}

func (n fakeNetwork) Service(s model.ServiceKey) []netip.Addr {
	return n.address(store.Ref{Kind: store.Kind(s.Kind), NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Name}})
}

func (fakeNetwork) Port(p int32) uint32 { return uint32(p) }
func (fakeNetwork) Bind() bool          { return false }

// plugin makes an AUTHN plugin of namespace default.
func plugin(name, url string, generation int64, targets ...model.TargetRef) *model.Plugin {
	return &model.Plugin{
		Key:        model.Key{Kind: extv1.KindWasmPlugin, Namespace: "default", Name: name},
		Generation: generation, Type: model.TypeHTTP, Phase: model.PhaseAuthn, FailStrategy: model.FailClose,
		Targets: targets, Wasm: &model.Wasm{URL: url},
	}
}
