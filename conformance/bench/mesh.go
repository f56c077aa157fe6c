package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// meshAddress is where the waypoint listens.
const meshAddress = "127.77.0.1"

// mesh is rows 9 to 11: one waypoint with a real Envoy and a thousand Services. Requests come as ztunnel hands them over, each
// on a connection with a PROXY header; no Service has an endpoint, so an answer is a 503 that holds the plugins' headers.
type mesh struct {
	*world
	b     *bench
	envoy *testbed.Envoy
	plane *plane
	// versions is what a plugin's next version is made of.
	versions int
}

func (b *bench) mesh() {
	w := newWorld(b.h, size{plugins: 2, gateways: 2})
	m := &mesh{world: w, b: b}
	waypoint := object("gateway.networking.k8s.io/v1", "Gateway", "waypoint", map[string]any{
		"gatewayClassName": "wasmpoint-waypoint",
		"listeners":        []any{map[string]any{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}},
	})
	waypoint.SetNamespace(namespace)
	waypoint.SetAnnotations(map[string]string{"wasmpoint.dev/listen-addresses": meshAddress})
	b.h.check(w.create(waypoint))
	m.plane = w.product(b.binary, false)
	defer m.plane.stop()
	config, err := bootstrap.JSON(bootstrap.Config{
		ID: "waypoint-1", Gateway: types.NamespacedName{Namespace: namespace, Name: "waypoint"}, XDS: m.plane.addr, Modules: m.plane.modules,
		Admin: testbed.Address(testbed.FreePort(b.h)),
	})
	b.h.check(err)
	m.envoy = testbed.StartEnvoy(b.h, config)

	services := b.of(1000, 100)
	without := m.settled("no Service")
	var all []*unstructured.Unstructured
	for i := range services {
		all = append(all, service(meshService(i), map[string]string{"istio.io/use-waypoint": "waypoint"}))
	}
	b.h.check(w.create(all...))
	m.reach(meshService(services-1), "")
	bound := m.settled(fmt.Sprintf("%d Services", services))
	own := b.of(50, 5)
	all = nil
	for i := range own {
		all = append(all, m.versioned(meshService(i), serviceTarget(meshService(i))))
	}
	b.h.check(w.create(all...))
	m.reach(meshService(own-1), meshService(own-1))
	plugged := m.settled(fmt.Sprintf("%d of them with a plugin", own))
	if b.any("10") {
		perService := float64(bound-without) / 1024 / float64(services)
		l := b.table.line(fmt.Sprintf("10: Envoy's memory per bound Service without plugins (%d)", services), "at most 0.15 MB")
		l.cells[columnProduct] = fmt.Sprintf("%.3f MB", perService)
		l.meets(perService <= 0.15)
		b.table.line(fmt.Sprintf("10: further, per Service with a plugin of its own (%d, one VM)", own), "").cells[columnProduct] =
			fmt.Sprintf("%.3f MB", float64(plugged-bound)/1024/float64(own))
	}
	if b.any("9") {
		m.label(services)
	}
	if b.any("11") {
		m.wide(services)
	}
}

// settled waits until Envoy and the controller have little to do, and gives Envoy's resident memory in KiB.
func (m *mesh) settled(what string) int64 {
	m.plane.quiet(time.Minute)
	rss := usageOf(m.h, m.envoy.PID()).rss
	progress("%s: Envoy has %s", what, megabytes(rss))
	return rss
}

// versioned makes a plugin that tells its version in every answer.
func (m *mesh) versioned(name string, target map[string]any) *unstructured.Unstructured {
	u := m.plugin(name, target)
	_ = unstructured.SetNestedMap(u.Object, map[string]any{"name": name, "version": "0"}, "spec", "pluginConfig") // maps of texts
	return u
}

func serviceTarget(name string) map[string]any {
	return map[string]any{"group": "", "kind": "Service", "name": name}
}

// bump gives a plugin another version and tells which.
func (m *mesh) bump(plugin string) string {
	m.versions++
	version := fmt.Sprint(m.versions)
	u := object("extensions.istio.io/v1alpha1", "WasmPlugin", plugin, nil)
	u.SetNamespace(namespace)
	data := fmt.Appendf(nil, `{"spec":{"pluginConfig":{"version":%q}}}`, version)
	m.h.check(m.Client().Patch(context.Background(), u, client.RawPatch(types.MergePatchType, data)))
	return version
}

// address is a Service's own, at the port of all of them.
func (m *mesh) address(name string) netip.AddrPort {
	u := object("v1", "Service", name, nil)
	m.h.check(m.Client().Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, u))
	text, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP") // the API server sets it
	ip, err := netip.ParseAddr(text)
	m.h.check(err)
	return netip.AddrPortFrom(ip, 80)
}

// reach waits until a Service is reached through the waypoint and, unless plugin is "", its plugin answers.
func (m *mesh) reach(service, plugin string) {
	c := newCaller(m.address(service))
	defer c.close()
	testbed.Eventually(m.h, 2*startLimit, service+" is reached through the waypoint", func() (bool, string) {
		version, err := c.ask(plugin)
		return err == nil && (plugin == "" || version != ""), fmt.Sprint(version, " ", err)
	})
}

// label is row 9: a Service with a plugin is labelled; until a request to it is answered through the waypoint, with the plugin.
func (m *mesh) label(services int) {
	var took []time.Duration
	n := m.b.of(60, 6)
	for i := range n {
		name := fmt.Sprintf("late-%d", i)
		m.h.check(m.create(service(name, nil), m.versioned(name, serviceTarget(name))))
	}
	m.settled("Services that are to be labelled")
	for i := range n {
		name := fmt.Sprintf("late-%d", i)
		c := newCaller(m.address(name))
		u := object("v1", "Service", name, nil)
		u.SetNamespace(namespace)
		begin := time.Now()
		m.h.check(m.Client().Patch(context.Background(), u, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"istio.io/use-waypoint":"waypoint"}}}`))))
		for version := ""; version == ""; {
			if version, _ = c.ask(name); version == "" { // it fails until there is a listener
				m.h.expired(begin, name)
				time.Sleep(time.Millisecond)
			}
		}
		took = append(took, time.Since(begin))
		c.close()
		time.Sleep(10 * pause)
	}
	l := m.b.table.line(fmt.Sprintf("9: label on a Service, until its traffic meets its plugin (%d Services)", services), "p50 at most 100 ms")
	l.cells[columnProduct] = quantiles(took)
	l.meets(quantile(took, 0.5) <= 100*time.Millisecond)
}

// wide is row 11: a plugin of the whole waypoint changes, and right after it one of a single Service.
func (m *mesh) wide(services int) {
	m.h.check(m.create(m.versioned("everywhere", gatewayTarget("waypoint"))))
	callers := make([]*caller, services)
	for i := range callers {
		callers[i] = newCaller(m.address(meshService(i)))
		defer callers[i].close()
	}
	m.sweep(callers, "everywhere", "0")
	m.settled("a plugin everywhere")
	urgent := newCaller(callers[0].service) // a connection of its own
	defer urgent.close()
	var all, meanwhile []time.Duration
	for range m.b.of(15, 3) {
		begin := time.Now()
		version := m.bump("everywhere")
		start := time.Now()
		single := m.bump(meshService(0))
		m.sweep([]*caller{urgent}, meshService(0), single)
		meanwhile = append(meanwhile, time.Since(start))
		m.sweep(callers, "everywhere", version)
		all = append(all, time.Since(begin))
		time.Sleep(20 * pause)
	}
	l := m.b.table.line(fmt.Sprintf("11: a plugin of the whole waypoint, on the traffic of all %d Services", services), "p50 at most 1500 ms")
	l.cells[columnProduct] = quantiles(all)
	l.meets(quantile(all, 0.5) <= 1500*time.Millisecond)
	l = m.b.table.line("11: a plugin of one Service, changed meanwhile", "p50 at most 100 ms")
	l.cells[columnProduct] = quantiles(meanwhile)
	l.meets(quantile(meanwhile, 0.5) <= 100*time.Millisecond)
}

// sweep asks until every Service has answered with a plugin's version; one that has is not asked again.
func (m *mesh) sweep(callers []*caller, plugin, version string) {
	begin := time.Now()
	for i := 0; i < len(callers); {
		if got, _ := callers[i].ask(plugin); got == version { // whoever does not answer is asked again
			i++
			continue
		}
		m.h.expired(begin, callers[i].service.String())
		time.Sleep(time.Millisecond)
	}
}
