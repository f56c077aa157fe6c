package attach

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// dice makes random objects out of few names, so that they meet each other often.
type dice struct {
	*rand.Rand
	// dense worlds have one namespace, the root, and mostly NETWORK plugins, so that places overflow.
	dense bool
}

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 1)), seed%2 == 1} }

func (d dice) of(words ...string) string { return words[d.IntN(len(words))] }
func (d dice) one(in int) bool           { return d.IntN(in) == 0 }
func (d dice) ns() string {
	if d.dense {
		return "istio-system"
	}
	return d.of("a", "b", "istio-system")
}
func (d dice) in() string { return d.ns() + "/" + d.of("x", "y", "z") }

func (d dice) labels() []string {
	var labels []string
	if d.one(2) {
		labels = append(labels, uses(d.of("x", "y", "z", "none", "")))
		if d.one(3) {
			labels = append(labels, extv1.LabelUseWaypointNamespace+"="+d.ns())
		}
	}
	if d.one(8) {
		labels = append(labels, extv1.LabelGatewayManaged+"="+d.of("istio.io-mesh-controller", "other"))
	}
	if d.one(3) {
		labels = append(labels, "team="+d.of("red", "blue"))
	}
	return labels
}

func (d dice) gateway() *gatewayv1.Gateway {
	g := gateway(d.in(), d.of(extv1.ClassIngress, extv1.ClassIngress, extv1.ClassWaypoint, extv1.ClassWaypoint, "custom"))
	for range d.IntN(4) {
		l := d.of("h:80:HTTP", "s:443:HTTPS", "t:443:TLS", "c:9000:TCP", "u:53:UDP", "m:15008:HBONE", "p:15088:istio.io/PROXY")
		g.Spec.Listeners = append(g.Spec.Listeners, gateway("x", "x", l).Spec.Listeners...)
	}
	for i := range g.Spec.Listeners {
		from := gatewayv1.FromNamespaces(d.of("All", "All", "Same", "Selector"))
		g.Spec.Listeners[i].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
			From: &from, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": d.of("red", "blue")}},
		}}
	}
	if d.one(4) {
		g.Labels[extv1.LabelWaypointFor] = d.of("all", "service", "workload")
	}
	if d.one(8) {
		g.Annotations[extv1.AnnotationInboundBinding] = d.of("PROXY/15088", "PROXY", "nonsense")
	}
	if d.one(3) {
		g.Annotations[extv1.AnnotationAllowLuaFrom] = d.of("a", "b", "*")
	}
	if d.one(2) {
		g.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{
			Labels: map[gatewayv1.LabelKey]gatewayv1.LabelValue{"istio": gatewayv1.LabelValue(d.of("one", "two"))},
		}
	}
	return g
}

func (d dice) class() *gatewayv1.GatewayClass {
	c := class(d.of(extv1.ClassWaypoint, "custom"))
	if d.one(2) {
		c.Annotations[extv1.AnnotationInboundBinding] = "PROXY/15088"
	}
	if d.one(3) {
		c.Labels[extv1.LabelWaypointFor] = d.of("all", "none")
	}
	if d.one(3) {
		c.Spec.ControllerName = "istio.io/gateway-controller"
	}
	return c
}

func (d dice) ports() []string {
	all := []string{"http:80", "tcp:90", "grpc:91", "mysql:92", "https:443"}
	return all[d.IntN(3) : 3+d.IntN(3)]
}

func (d dice) service() *corev1.Service {
	s := svc(d.in(), d.ports(), d.labels()...)
	if d.one(12) {
		s.Spec.Type = corev1.ServiceTypeExternalName
	}
	return s
}

func (d dice) plugin() *model.Plugin {
	p := plugin(d.ns() + "/" + d.of("p", "q", "r", "s", "t", "u", "v", "w"))
	p.Kind = d.of(extv1.KindWasmPlugin, extv1.KindTrafficExtension)
	for range d.IntN(4) {
		kind := d.of("Gateway", "GatewayClass", "Service", "ServiceEntry", "Pod")
		target := d.of("x", "y", "z")
		if kind == "GatewayClass" {
			target = d.of(extv1.ClassIngress, extv1.ClassWaypoint, "custom")
		}
		p.Targets = append(p.Targets, targetOf(p.Namespace, kind+":"+target))
	}
	if d.one(2) {
		p.Selector = map[string]string{"istio": d.of("one", "two")}
	}
	if d.one(2) || d.dense && !d.one(4) {
		p.Type = model.TypeNetwork
	} else if d.one(3) {
		p.Wasm, p.Lua = nil, "x"
	}
	p.Phase = model.Phases[d.IntN(4)]
	if d.one(2) {
		prioritised(p, int32(d.IntN(3)))
	}
	aged(p, d.IntN(3))
	if d.one(3) {
		matching(p, model.Mode(d.of("", "CLIENT", "SERVER", "CLIENT_AND_SERVER")), []int32{80, 90}[:d.IntN(3)]...)
	}
	if d.one(15) {
		p.Invalid = "broken"
	}
	if d.one(2) {
		p.Revision = extv1.Revision
	}
	return p
}

// workload is external proxies; few labels, so that selectors meet them.
func (d dice) workload() *model.Workload {
	labels := map[string]string{"istio": d.of("one", "two")}
	if d.one(2) {
		labels["team"] = d.of("red", "blue")
	}
	namespace, istio := d.ns(), d.one(3)
	name := model.WorkloadName(namespace, labels, istio)
	w := &model.Workload{Namespace: name.Namespace, Name: name.Name, Labels: labels, Istio: istio}
	for _, side := range []model.Side{model.SideGateway, model.SideInbound, model.SideOutbound} {
		if d.one(2) {
			w.Ports = append(w.Ports, model.WorkloadPort{Side: side, Port: []int32{80, 90}[d.IntN(2)], HTTP: d.one(2), Network: d.one(2)})
		}
	}
	return w
}

// object is anything that a store takes.
func (d dice) object() any {
	switch d.IntN(14) {
	case 12, 13:
		return d.workload()
	case 0, 1:
		return d.gateway()
	case 2:
		return d.class()
	case 3, 4:
		return d.service()
	case 5:
		e := entry(d.in(), d.ports(), d.labels()...)
		if d.one(3) {
			e.Spec.ExportTo = []string{d.of(".", "*")}
		}
		return e
	case 6:
		return namespace(d.ns(), d.labels()...)
	case 7:
		slice := &discoveryv1.EndpointSlice{ObjectMeta: meta(d.in())}
		slice.Labels[discoveryv1.LabelServiceName] = d.of("x", "y")
		return slice
	case 8:
		return &corev1.Secret{ObjectMeta: meta(d.in()), Data: map[string][]byte{"k": []byte(d.of("1", "2"))}}
	}
	return d.plugin()
}

func TestTheSameObjectsInAnyOrderGiveEqualBytes(t *testing.T) {
	for seed := range uint64(100) {
		d := newDice(seed)
		byRef := map[store.Ref]bool{}
		var objects []any
		for range 40 {
			object := d.object()
			ref, err := store.RefOf(object)
			if err != nil {
				t.Fatal(err)
			}
			if !byRef[ref] {
				byRef[ref] = true
				objects = append(objects, object)
			}
		}
		first := asJSON(t, world(t, objects...).Full())
		for range 5 {
			d.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
			if again := asJSON(t, world(t, objects...).Full()); again != first {
				t.Fatalf("seed %d: %s", seed, difference(first, again))
			}
		}
	}
}

func TestTheTrackerKeepsWhatFullComputes(t *testing.T) {
	for seed := range uint64(300) {
		d := newDice(seed + 1000)
		tracker := NewTracker(Config{})
		mirror := mirrorOf{places: map[model.Scope]string{}}
		before := asJSON(t, tracker.Result())
		for step := range 40 {
			events := d.events(tracker.Store())
			changes, err := tracker.Apply(events...)
			if err != nil {
				t.Fatal(err)
			}
			after := asJSON(t, tracker.Result())
			if full := asJSON(t, tracker.Rules().Full()); full != after {
				t.Fatalf("seed %d step %d after %v: %s", seed, step, events, difference(full, after))
			}
			if changes.Empty() && before != after {
				t.Fatalf("seed %d step %d: the result changed, but no change was told", seed, step)
			}
			before = after
			mirror.follow(t, changes)
			mirror.compare(t, tracker)
		}
	}
}

// events are one to three puts, deletions, or repeated puts of what is already there.
func (d dice) events(s *store.Store) []store.Event {
	var events []store.Event
	for range 1 + d.IntN(3) {
		object := d.object()
		ref, err := store.RefOf(object)
		switch {
		case err != nil:
			panic(err)
		case d.one(3):
			events = append(events, store.Event{Deleted: ref})
		case d.one(6) && len(s.Gateways()) > 0:
			events = append(events, store.Event{Object: s.Gateways()[0].DeepCopy()})
		default:
			events = append(events, store.Event{Object: object})
		}
	}
	return events
}

// mirrorOf follows the changes alone, as a cache of slots does.
type mirrorOf struct{ places map[model.Scope]string }

func (m mirrorOf) follow(t *testing.T, changes Changes) {
	t.Helper()
	for _, c := range changes.Places {
		_, known := m.places[c.Place.Scope]
		if known == (c.Kind == PlaceAdded) {
			t.Fatalf("%s of %v, which was known: %v", c.Kind, c.Place.Scope, known)
		}
		if c.Kind == PlaceRemoved {
			delete(m.places, c.Place.Scope)
			continue
		}
		m.places[c.Place.Scope] = fmt.Sprintf("%+v %s %s", c.Place, names(c.Plugins.HTTP), names(c.Plugins.Network))
	}
}

func (m mirrorOf) compare(t *testing.T, tracker *Tracker) {
	t.Helper()
	count := 0
	check := func(places []PlaceResult) {
		for _, p := range places {
			count++
			want := fmt.Sprintf("%+v %s %s", p.Place, names(p.Plugins.HTTP), names(p.Plugins.Network))
			if m.places[p.Place.Scope] != want {
				t.Fatalf("changes left %q, want %q", m.places[p.Place.Scope], want)
			}
		}
	}
	for _, g := range tracker.Result().Gateways {
		check(g.Places)
	}
	for _, w := range tracker.Result().Workloads {
		check(w.Places)
	}
	if count != len(m.places) || count != len(tracker.places) {
		t.Fatalf("changes left %d places, the tracker keeps %d, want %d", len(m.places), len(tracker.places), count)
	}
}

func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			from := max(0, i-8)
			return fmt.Sprintf("line %d:\n%s\n--- and ---\n%s", i,
				strings.Join(x[from:min(i+8, len(x))], "\n"), strings.Join(y[from:min(i+8, len(y))], "\n"))
		}
	}
	return "one is longer"
}
