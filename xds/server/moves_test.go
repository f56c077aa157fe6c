package server_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// place is the slots of one scope, and a proxy that checks after every response that each plugin of must stands in one of
// them at least, or that no connection passes.
type place struct {
	*plane
	t     *testing.T
	scope model.Scope
	all   []string
	proxy *testbed.Proxy
	// holds is what the proxy runs by slot; it is read and written under the proxy's lock only.
	holds  map[string][]string
	must   []string
	missed string
	twice  bool
	// denying are the network slots that refuse connections now; denied tells that one did.
	denying map[string]bool
	denied  bool
}

func newPlace(t *testing.T) *place {
	p := &place{plane: start(t), t: t, scope: model.Scope{Gateway: gw, Port: 80}, holds: map[string][]string{}, denying: map[string]bool{}}
	for _, ph := range model.Phases {
		p.all = append(p.all, names.Slot(p.scope, ph))
	}
	for i := range model.NetworkSlots {
		p.all = append(p.all, names.NetworkSlot(p.scope, i))
	}
	return p
}

// want fills phases and network slots: "AUTHN" or "0" with plugins; all other slots are empty.
func (p *place) want(content map[string][]build.Entry) {
	slots := map[string]*build.Slot{}
	for _, name := range p.all {
		last := name[strings.LastIndex(name, "/")+1:]
		slots[name] = &build.Slot{Name: name, Network: len(last) == 1, Entries: content[last]}
	}
	p.hub.Group(gw).Apply(cache.Change{Slots: slots})
}

// connect opens the proxy; held are the versions of a reconnecting one.
func (p *place) connect(held map[string]string) {
	p.t.Helper()
	p.proxy = testbed.Connect(p.t, p.addr, node("default/gw"), func(r *discoveryv3.DeltaDiscoveryResponse) string {
		if r.TypeUrl != server.TypeExtensionConfig {
			return ""
		}
		name, body := r.Resources[0].Name, string(r.Resources[0].Resource.Value)
		p.holds[name], p.denying[name] = pluginsIn(body), strings.Contains(body, "wasmpoint_deny_")
		closed := slices.Contains(slices.Collect(maps.Values(p.denying)), true)
		p.denied = p.denied || closed
		count := map[string]int{}
		for _, list := range p.holds {
			for _, name := range list {
				count[name]++
				p.twice = p.twice || count[name] > 1
			}
		}
		for _, m := range p.must {
			if count[m] == 0 && !closed && p.missed == "" {
				p.missed = m
			}
		}
		return ""
	})
	p.proxy.Lane(names.Prefetch(gw), nil)
	p.proxy.Subscribe(server.TypeExtensionConfig, p.all, held)
}

// pluginsIn finds the marks "plugin=NAME;" in a resource.
func pluginsIn(body string) []string {
	var out []string
	for rest := body; ; {
		_, after, ok := strings.Cut(rest, "plugin=")
		if !ok {
			return out
		}
		name, more, _ := strings.Cut(after, ";")
		out, rest = append(out, name), more
	}
}

// settles waits until every slot is synced and checks what the proxy runs.
func (p *place) settles(want map[string][]string) {
	p.t.Helper()
	p.proxy.Wait(10*time.Second, "all slots are synced", func() bool {
		for _, name := range p.all {
			s, slot := p.slot(name), p.hub.Group(gw).Slot(name)
			if !s.Synced || len(s.Running) != len(slot.Entries) || len(slot.Entries) > 0 && s.Running[0] != slot.Entries[0].Wanted {
				return false
			}
		}
		return true
	})
	p.proxy.Responses("") // takes the lock: what follows was written under it
	if p.missed != "" {
		p.t.Errorf("for a moment plugin %s stood in no slot", p.missed)
	}
	for last, list := range want {
		for _, name := range p.all {
			if strings.HasSuffix(name, "/"+last) && !slices.Equal(p.holds[name], list) {
				p.t.Errorf("slot %s holds %v, want %v", last, p.holds[name], list)
			}
		}
	}
}

func marked(name string) build.Entry { return lua(name, "-- plugin="+name+";") }

func network(name string, more ...string) build.Entry {
	p := &model.Plugin{
		Key: model.Key{Kind: "WasmPlugin", Namespace: "default", Name: name}, Type: model.TypeNetwork,
		Wasm: &model.Wasm{Config: []byte("plugin=" + name + ";" + strings.Join(more, ""))},
	}
	v := build.NewVariant(p, "d")
	return build.Entry{Plugin: p.Key, Variants: []*build.Variant{v}, Wanted: v.Hash}
}

type entries = []build.Entry

func TestAPluginThatMovesBetweenSlotsStandsInOneAtEveryMoment(t *testing.T) {
	a, b, c, d := marked("a"), marked("b"), marked("c"), marked("d")
	x, y, z, w := network("x"), network("y"), network("z"), network("w")
	newer := network("x", " newer")
	for _, test := range []struct {
		name     string
		from, to map[string]entries
		must     []string
	}{
		{"to a later phase", map[string]entries{"AUTHN": {a}}, map[string]entries{"AUTHZ": {a}}, []string{"a"}},
		{"to an earlier one", map[string]entries{"STATS": {a, b}}, map[string]entries{"AUTHN": {a}, "STATS": {b}}, []string{"a", "b"}},
		{"two that change places", map[string]entries{"AUTHN": {a, c}, "AUTHZ": {b}}, map[string]entries{"AUTHN": {b}, "AUTHZ": {a, d}}, []string{"a", "b"}},
		{"while its configuration changes", map[string]entries{"AUTHN": {lua("a", "-- old plugin=a;")}}, map[string]entries{"AUTHZ": {a}}, []string{"a"}},
		{"a row of network slots", map[string]entries{"0": {x}, "1": {y}}, map[string]entries{"0": {z}, "1": {x}, "2": {y}}, []string{"x", "y"}},
		{"and back", map[string]entries{"0": {z}, "1": {x}, "2": {y}}, map[string]entries{"0": {x}, "1": {y}}, []string{"x", "y"}},
		{"two network slots that change places", map[string]entries{"0": {x}, "1": {y}}, map[string]entries{"0": {y}, "1": {x}}, []string{"x", "y"}},
		{"three in a circle", map[string]entries{"0": {x}, "1": {y}, "2": {z}}, map[string]entries{"0": {z}, "1": {x}, "2": {y}}, []string{"x", "y", "z"}},
		{"four in a circle", map[string]entries{"0": {x}, "1": {y}, "2": {z}, "3": {w}}, map[string]entries{"0": {w}, "1": {x}, "2": {y}, "3": {z}}, []string{"x", "y", "z", "w"}},
		{"two circles", map[string]entries{"0": {x}, "1": {y}, "2": {z}, "3": {w}}, map[string]entries{"0": {y}, "1": {x}, "2": {w}, "3": {z}}, []string{"x", "y", "z", "w"}},
		{"a circle that changes its configuration", map[string]entries{"0": {x}, "1": {y}}, map[string]entries{"0": {y}, "1": {newer}}, []string{"x", "y"}},
		{"a plugin that is deleted is not waited for", map[string]entries{"AUTHN": {a}}, map[string]entries{"AUTHZ": {b}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			p.want(test.from)
			p.connect(nil)
			p.settles(nil)
			p.must = test.must
			p.want(test.to)
			want := map[string][]string{}
			for last, list := range test.to {
				for _, e := range list {
					want[last] = append(want[last], e.Plugin.Name)
				}
			}
			p.settles(want)
			if circle := strings.Contains(test.name, "circle") || strings.Contains(test.name, "network slots that change"); p.denied != circle {
				t.Errorf("connections were refused: %v, want %v", p.denied, circle)
			}
		})
	}
}

func TestAPluginThatMovedWhileNoControllerWasThereStandsInOneSlotAtEveryMoment(t *testing.T) {
	first := newPlace(t)
	first.want(map[string]entries{"AUTHN": {marked("a")}})
	first.connect(nil)
	first.settles(nil)

	again := newPlace(t)
	again.want(map[string]entries{"AUTHZ": {marked("a")}})
	again.holds[names.Slot(again.scope, model.PhaseAuthn)] = []string{"a"}
	again.must = []string{"a"}
	again.connect(first.proxy.Held(server.TypeExtensionConfig))
	again.settles(map[string][]string{"AUTHN": nil, "AUTHZ": {"a"}})
}

func TestAPluginMovesAsWellBetweenSlotsThatWereAskedForBeforeTheyWereThere(t *testing.T) {
	p := newPlace(t)
	p.connect(nil)
	p.set(nil, 81)
	p.proxy.Subscribe(server.TypeExtensionConfig, []string{slotName(81)}, nil)
	p.proxy.Wait(5*time.Second, "the slots are asked for", func() bool { return p.proxy.Held(server.TypeExtensionConfig)[slotName(81)] != "" })
	p.want(map[string]entries{"AUTHN": {marked("a")}})
	p.settles(map[string][]string{"AUTHN": {"a"}})
	p.must = []string{"a"}
	p.want(map[string]entries{"STATS": {marked("a")}})
	p.settles(map[string][]string{"STATS": {"a"}, "AUTHN": nil})
}
