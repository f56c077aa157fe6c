package attach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// workload makes external proxies with HTTP and network slots on "side:port"; labels are "key=value".
func workload(namespace string, istio bool, ports []string, labels ...string) *model.Workload {
	name := model.WorkloadName(namespace, pairs(labels), istio)
	w := &model.Workload{Namespace: name.Namespace, Name: name.Name, Labels: pairs(labels), Istio: istio}
	for _, p := range ports {
		side, number, _ := strings.Cut(p, ":")
		var port int32
		if _, err := fmt.Sscan(number, &port); err != nil {
			panic(err)
		}
		w.Ports = append(w.Ports, model.WorkloadPort{Side: model.Side(side), Port: port, HTTP: true, Network: true})
	}
	return w
}

// runsAt renders the places of the only workload as "side:port plugins".
func runsAt(r Rules) (out []string) {
	for _, p := range r.Full().Workloads[0].Places {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s:%d %s", p.Place.Side, p.Place.Port, names(p.Plugins.HTTP))))
	}
	return out
}

func wantRunsAt(t *testing.T, r Rules, want ...string) {
	t.Helper()
	if got := runsAt(r); !slices.Equal(got, want) {
		t.Errorf("places are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func selecting(p *model.Plugin, labels ...string) *model.Plugin { p.Selector = pairs(labels); return p }

func ours(p *model.Plugin) *model.Plugin { p.Revision = extv1.Revision; return p }

func TestExternalProxiesTakePluginsWithoutTargetsOfTheirOwnAndTheRootNamespace(t *testing.T) {
	wantRunsAt(t, world(t,
		workload("shop", false, []string{"gateway:80"}, "app=web"),
		plugin("shop/all"), selecting(plugin("shop/web"), "app=web"), selecting(plugin("shop/api"), "app=api"),
		selecting(plugin("shop/more"), "app=web", "tier=1"),
		plugin("istio-system/mesh"), selecting(plugin("istio-system/web"), "app=web"),
		plugin("other/all"), plugin("shop/targeted", "Gateway:web"), plugin("shop/class", "GatewayClass:wasmpoint"),
	), "gateway:80 istio-system/mesh istio-system/web shop/all shop/web")
}

func TestTheSideOfASidecarDecidesOnTheMode(t *testing.T) {
	wantRunsAt(t, world(t,
		workload("shop", false, []string{"gateway:80", "inbound:8080", "outbound:9080"}),
		matching(plugin("shop/both"), model.ModeBoth), matching(plugin("shop/client"), model.ModeClient),
		matching(plugin("shop/server"), model.ModeServer), matching(plugin("shop/port"), "", 8080),
		matching(plugin("shop/serverport"), model.ModeServer, 9080),
	), "gateway:80 shop/both shop/client", "inbound:8080 shop/both shop/port shop/server", "outbound:9080 shop/both shop/client")
}

func TestWhereIstioProgramsTheProxiesOnlyOurPluginsRun(t *testing.T) {
	theirs, mine := plugin("shop/theirs"), ours(plugin("shop/mine"))
	r := world(t, workload("shop", true, []string{"gateway:80"}), theirs, mine)
	wantRunsAt(t, r, "gateway:80 shop/mine")
	wantVerdict(t, r, theirs, extv1.ReasonOtherRevision, "Istio programs external proxies of namespace shop and runs this plugin there "+
		"itself; label it istio.io/rev=wasmpoint if wasmpoint is to run it")
	wantVerdict(t, r, mine, extv1.ReasonAccepted, "Attached to external proxies of namespace shop")
	wantRunsAt(t, world(t, workload("shop", false, []string{"gateway:80"}), theirs, mine), "gateway:80 shop/mine shop/theirs")
}

func TestAGatewayIsIstiosByTheControllerOfItsClass(t *testing.T) {
	istio := class("istio")
	istio.Spec.ControllerName = "istio.io/gateway-controller"
	theirs, mine := plugin("theirs", "Gateway:gw"), ours(plugin("mine", "Gateway:gw"))
	objects := []any{istio, gateway("gw", "istio", "http:80:HTTP"), theirs, mine}
	r := world(t, objects...)
	wantPlaces(t, r, "default/gw:80 http[default/mine] network[]")
	wantReason(t, r, theirs, extv1.ReasonOtherRevision)
	r.ClassAliases = IstioAliases()
	wantPlaces(t, r, "default/gw:80 http[default/mine default/theirs] network[]")
}

func TestAPluginThatReachesNoExternalProxySaysWhy(t *testing.T) {
	w := workload("shop", false, []string{"inbound:8080", "inbound:8081"}, "app=web")
	api := selecting(plugin("shop/api"), "app=api")
	wantVerdict(t, world(t, w, api), api, extv1.ReasonSelectorMatchesNothing,
		"selector.matchLabels match the Pod of no external proxy in reach; correct them, or label the Pods")
	client := matching(plugin("shop/client"), model.ModeClient)
	wantReason(t, world(t, w, client), client, extv1.ReasonNoMatchingMode)
	port := matching(plugin("shop/port"), model.ModeServer, 80)
	wantVerdict(t, world(t, w, port), port, extv1.ReasonNoMatchingPort,
		"match.ports 80 names no port of external proxies of namespace shop, which has 8080, 8081; correct match.ports")
	w.Ports[0].HTTP, w.Ports[1].HTTP = false, false
	wantReason(t, world(t, w, plugin("shop/http")), plugin("shop/http"), extv1.ReasonProtocolMismatch)
}

func TestAChangeForOneWorkloadLooksAtNoOther(t *testing.T) {
	tracker := NewTracker(Config{})
	var events []store.Event
	for i := range 50 {
		events = append(events, store.Event{Object: workload("shop", false, []string{"gateway:80"}, fmt.Sprintf("app=web-%d", i))})
	}
	if _, err := tracker.Apply(events...); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"shop", "istio-system"} {
		one := selecting(plugin(namespace+"/one"), "app=web-7")
		d := newDirt()
		tracker.touchReach(one, d)
		if len(d.scopes) != 1 {
			t.Errorf("from namespace %s %d places are looked at, want 1", namespace, len(d.scopes))
		}
		changes, err := tracker.Apply(store.Event{Object: one})
		if err != nil || len(changes.Places) != 1 {
			t.Errorf("from namespace %s: %v, %v", namespace, changes.Places, err)
		}
	}
}
