package engine

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/dataplane"
)

// takes makes a proxy acknowledge all listeners that its gateway has now.
func (w *world) takes(h *acks.Handle, gateway types.NamespacedName) {
	versions := map[string]string{}
	for name, r := range w.hub.Group(gateway).Resources(dataplane.TypeListener) {
		versions[name] = r.Version
	}
	h.SetListeners(versions)
}

func TestAGatewayIsProgrammedWhenEachProxyAcknowledgedItsListeners(t *testing.T) {
	w := newWorld(t)
	gw := ingress("gw")
	w.apply(gw)
	expect := func(when string, done bool, message string) {
		t.Helper()
		if row := w.gatewayRow(named2("gw"), w.fleet()); row.Programmed != done || row.Message != message {
			t.Errorf("%s: %t %q, want %t %q", when, row.Programmed, row.Message, done, message)
		}
	}
	expect("without a proxy", false, "no proxy is connected")
	a, b := w.registry.Connect("a", named2("gw"), "1.40.0", w.now), w.registry.Connect("b", named2("gw"), "1.40.0", w.now)
	defer a.Disconnect()
	defer b.Disconnect()
	expect("when they asked for slots alone, as external ones do", true, "")
	a.SetTakesListeners()
	b.SetTakesListeners()
	expect("when they asked for listeners", false, "2 of 2 proxies still have to take the listeners")
	w.takes(a, named2("gw"))
	expect("when one has them", false, "1 of 2 proxies still have to take the listeners")
	w.takes(b, named2("gw"))
	expect("when both have them", true, "")

	edited := gw.DeepCopy()
	edited.Spec.Listeners = append(edited.Spec.Listeners, listener("second", 81, "HTTP"))
	w.apply(edited)
	expect("after an edit", false, "2 of 2 proxies still have to take the listeners")
	w.takes(a, named2("gw"))
	w.takes(b, named2("gw"))
	expect("when both have the edit", true, "")
	b.RefuseType(dataplane.TypeListener, "in use", w.now)
	expect("when one refuses", false, "proxy b refuses its Listener resources: in use")
}

func TestTheServicesOfAWaypointDoNotChangeWhetherItIsProgrammed(t *testing.T) {
	w := newWorld(t)
	w.apply(waypoint("way"))
	h := w.registry.Connect("a", named2("way"), "1.40.0", w.now)
	defer h.Disconnect()
	w.takes(h, named2("way"))
	before := len(w.hub.Group(named2("way")).Resources(dataplane.TypeListener))
	w.apply(service("default", "web", map[string]string{extv1.LabelUseWaypoint: "way"}, corev1.ServicePort{Name: "http", Port: 80}))
	if after := len(w.hub.Group(named2("way")).Resources(dataplane.TypeListener)); after <= before {
		t.Fatalf("%d listeners, then %d: the test asks nothing", before, after)
	}
	if row := w.gatewayRow(named2("way"), w.fleet()); !row.Programmed {
		t.Errorf("not programmed: %s", row.Message)
	}
}

func TestPodsOfWhichNoneIsReadyAreToldFromNoPods(t *testing.T) {
	w := newWorld(t)
	w.apply(waypoint("way"))
	for _, step := range []struct {
		what string
		do   func()
		want bool
	}{
		{"no Pod is known", func() {}, false},
		{"one starts", func() { w.SetPod(named2("way"), Pod{Name: "a"}, false) }, true},
		{"it is ready", func() { w.SetPod(named2("way"), Pod{Name: "a", Counts: true, Ready: true}, false) }, false},
		{"it crashes", func() { w.SetPod(named2("way"), Pod{Name: "a", Counts: true}, false) }, true},
		{"it is gone", func() { w.SetPod(named2("way"), Pod{Name: "a"}, true) }, false},
	} {
		step.do()
		w.turn()
		if got := w.noneReady(named2("way")); got != step.want {
			t.Errorf("%s: %t, want %t", step.what, got, step.want)
		}
	}
}

func TestThePodsOfAGatewayWithALongNameAreFoundByTheShortenedOneInTheirLabel(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("waypoint-", 8) + "x"
	w.apply(waypoint(long))
	label := named2(provision.LabelValue(long))
	if label.Name == long || len(label.Name) > 63 {
		t.Fatalf("label %s: the test asks nothing", label)
	}
	d := w.told(func() { w.SetPod(label, Pod{Name: "a"}, false) })
	if !w.noneReady(named2(long)) || len(d.Gateways) != 1 || d.Gateways[0] != named2(long) {
		t.Errorf("the Pod is not known; marked %v", d.Gateways)
	}
}

func TestAnEditThatMeansNothingIsObservedToo(t *testing.T) {
	w := newWorld(t)
	gw, r := ingress("gw"), route("default", "r1", "default", "gw", "default", "web", 80)
	gw.Generation, r.Generation = 1, 1
	w.apply(gw, r)
	before := content(w.hub, []types.NamespacedName{named2("gw")})
	gw, r = gw.DeepCopy(), r.DeepCopy()
	gw.Generation, r.Generation = 2, 2
	r.Spec.Hostnames = []gatewayv1.Hostname{}
	var marked []types.NamespacedName
	w.opts.OnStatus = func(d status.Dirty) { marked = append(marked, d.Routes...) }
	w.apply(gw, r)
	if got := w.gateways[named2("gw")].routes.GatewayStatus(routes.Programming{}).Conditions[0].ObservedGeneration; got != 2 {
		t.Errorf("the Gateway's status speaks of generation %d, want 2", got)
	}
	if got := w.parentsOf(w.store.HTTPRoute(named2("r1")))[0].Conditions[0].ObservedGeneration; got != 2 || !slices.Contains(marked, named2("r1")) {
		t.Errorf("the route's status speaks of generation %d, want 2; marked: %v", got, marked)
	}
	if after := content(w.hub, []types.NamespacedName{named2("gw")}); !slices.Equal(before, after) {
		t.Errorf("the proxies' content changed from %v to %v", before, after)
	}
}
