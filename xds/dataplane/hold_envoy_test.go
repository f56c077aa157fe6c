package dataplane

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/build"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

func TestAConnectionToAServiceWhoseListenerComesLaterWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	w.service("db", 3306, TCP, greeter(t))
	proxy := freePort(t)
	first := Waypoint(gateway, []netip.Addr{local}, proxy, false)
	hub := cache.NewHub()
	hub.Group(gateway).Apply(changeOf(t, first))
	admin, _ := startEnvoyOf(t, hub, first)

	answers, greetings := make(chan string, 1), make(chan string, 1)
	web, db := through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80"), through(t, proxy, "10.0.0.7:1234", "10.96.0.2:3306")
	go func() {
		resp, body := get(t, web, "/x", "")
		answers <- resp.Status + " " + resp.Header.Get("backend") + " " + body
	}()
	go func() {
		line, err := bufio.NewReader(db).ReadString('\n')
		if err != nil {
			line = err.Error()
		}
		greetings <- line
	}()
	stat := func(name string, atLeast int) {
		t.Helper()
		testbed.Eventually(t, 30*time.Second, name, func() (bool, string) {
			n := counter(t, admin, name)
			return n >= atLeast, number(int32(n))
		})
	}
	stat("tcp.handover.on_demand_cluster_attempt", 2)

	var later []Resource
	for name, at := range map[string]netip.AddrPort{"web": netip.MustParseAddrPort("10.96.0.1:80"), "db": netip.MustParseAddrPort("10.96.0.2:3306")} {
		d := *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: name}, int32(at.Port()))
		later = append(later, WaypointService(ServiceInput{Scope: scopeOf(name, int32(at.Port())), Addresses: []netip.Addr{at.Addr()}, Destination: d})...)
	}
	for _, r := range later {
		tellPeer(t, r)
	}
	change := changeOf(t, later)
	slots := change.Slots
	change.Slots = map[string]*build.Slot{}
	hub.Group(gateway).Apply(change)
	stat("cluster.handover.upstream_cx_connect_fail", 2*4) // the listeners are there, and wait for their slots
	if len(answers)+len(greetings) > 0 {
		t.Fatal("there was an answer before the slots had content")
	}
	hub.Group(gateway).Apply(cache.Change{Slots: slots})
	if got := <-answers; !strings.HasPrefix(got, "200 OK web HTTP/1.1 GET /x") || !strings.Contains(got, "x-peer: 10.0.0.7\n") {
		t.Errorf("got %s\nwant the backend's answer, and that it knows the client", got)
	}
	if line := <-greetings; line != "hello\n" {
		t.Errorf("got %q", line)
	}
	waited := counter(t, admin, "tcp.handover.on_demand_cluster_attempt")
	resp, _ := get(t, through(t, proxy, "10.0.0.7:1235", "10.96.0.1:80"), "/", "")
	if now := counter(t, admin, "tcp.handover.on_demand_cluster_attempt"); resp.StatusCode != http.StatusOK || now != waited {
		t.Errorf("a connection that came when all was there: %d; %d waited, before it %d", resp.StatusCode, now, waited)
	}
}

func TestAConnectionThatWaitsHoldsUpNobodyAndIsClosedWhenNothingComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	proxy := freePort(t)
	resources := append(Waypoint(gateway, []netip.Addr{local}, proxy, false), WaypointService(ServiceInput{
		Scope: scopeOf("web", 80), Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
		Destination: *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: "web"}, 80),
	})...)
	admin := startEnvoy(t, Sort(resources))
	began := time.Now()
	waiting := through(t, proxy, "10.0.0.7:1234", "10.96.0.9:80")
	testbed.Eventually(t, 30*time.Second, "it waits", func() (bool, string) {
		return counter(t, admin, "tcp.handover.on_demand_cluster_attempt") == 1, ""
	})
	if resp, _ := get(t, through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80"), "/", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
	_ = waiting.SetDeadline(began.Add(30 * time.Second))
	if b, err := io.ReadAll(waiting); len(b) > 0 || isTimeout(err) || time.Since(began) < waitForAddress-time.Second {
		t.Errorf("got %q, %v after %s; want a connection that is closed after %s", b, err, time.Since(began), waitForAddress)
	}
}

func TestAProxyThatAskedForAnAddressStillGetsEverythingOverANewStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	proxy := freePort(t)
	hub := cache.NewHub()
	first := Waypoint(gateway, []netip.Addr{local}, proxy, false)
	hub.Group(gateway).Apply(changeOf(t, first))
	admin, disconnect := startEnvoyOf(t, hub, first)
	through(t, proxy, "10.0.0.7:1234", "10.96.0.9:80")
	testbed.Eventually(t, 30*time.Second, "the proxy asks for the address", func() (bool, string) {
		return counter(t, admin, "tcp.handover.on_demand_cluster_attempt") == 1, ""
	})
	before := counter(t, admin, "cluster.wasmpoint-xds.upstream_cx_total")
	disconnect()
	testbed.Eventually(t, 30*time.Second, "the proxy is connected again", func() (bool, string) {
		return counter(t, admin, "cluster.wasmpoint-xds.upstream_cx_total") > before && counter(t, admin, "control_plane.connected_state") == 1, ""
	})
	later := WaypointService(ServiceInput{
		Scope: scopeOf("web", 80), Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
		Destination: *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: "web"}, 80),
	})
	hub.Group(gateway).Apply(changeOf(t, later))
	testbed.Eventually(t, 30*time.Second, "the proxy has what nobody asked for", func() (bool, string) { return warmed(admin, later), "" })
	if resp, _ := get(t, through(t, proxy, "10.0.0.7:1235", "10.96.0.1:80"), "/", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// counter is one of Envoy's counters, 0 if it does not exist yet.
func counter(t *testing.T, admin, name string) int {
	t.Helper()
	body, err := fetch("http://" + admin + "/stats?format=json&filter=^" + name + "$")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Stats []struct{ Value int } }
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if len(all.Stats) == 0 {
		return 0
	}
	return all.Stats[0].Value
}
