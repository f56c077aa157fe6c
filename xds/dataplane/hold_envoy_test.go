package dataplane

import (
	"bufio"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/xds/cache"
)

func TestAConnectionToAServiceWhoseListenerComesLaterWaitsForIt(t *testing.T) {
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	w.service("db", 3306, TCP, greeter(t))
	proxy := freePort(t)
	first := Waypoint(gateway, []netip.Addr{local}, proxy)
	hub := cache.NewHub()
	hub.Group(gateway).Apply(changeOf(t, first))
	admin := startEnvoyOf(t, hub, first)

	type answer struct {
		resp *http.Response
		body string
	}
	answers, greetings := make(chan answer, 1), make(chan string, 1)
	web, db := through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80"), through(t, proxy, "10.0.0.7:1234", "10.96.0.2:3306")
	go func() {
		resp, body := get(t, web, "/x", "")
		answers <- answer{resp, body}
	}()
	go func() {
		line, err := bufio.NewReader(db).ReadString('\n')
		if err != nil {
			line = err.Error()
		}
		greetings <- line
	}()
	testbed.Eventually(t, 30*time.Second, "both connections wait for the third time", func() (bool, string) {
		waits := waitsSoFar(t, admin)
		return waits == "ratelimit.hold.total: 6", waits
	})
	var later []Resource
	for name, at := range map[string]netip.AddrPort{"web": netip.MustParseAddrPort("10.96.0.1:80"), "db": netip.MustParseAddrPort("10.96.0.2:3306")} {
		d := *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: name}, int32(at.Port()))
		later = append(later, WaypointService(ServiceInput{Scope: scopeOf(name, int32(at.Port())), Addresses: []netip.Addr{at.Addr()}, Destination: d})...)
	}
	for _, r := range later {
		tellPeer(t, r)
	}
	hub.Group(gateway).Apply(changeOf(t, later))
	if a := <-answers; a.resp.StatusCode != http.StatusOK || a.resp.Header.Get("backend") != "web" || !strings.Contains(a.body, "x-peer: 10.0.0.7\n") {
		t.Errorf("got %d\n%s\nwant the backend's answer, and that it knows the client", a.resp.StatusCode, a.body)
	}
	if line := <-greetings; line != "hello\n" {
		t.Errorf("got %q", line)
	}
	waits := waitsSoFar(t, admin)
	resp, _ := get(t, through(t, proxy, "10.0.0.7:1235", "10.96.0.1:80"), "/", "")
	if now := waitsSoFar(t, admin); resp.StatusCode != http.StatusOK || now != waits {
		t.Errorf("a connection that came when all was there: %d, and after it %s, before it %s", resp.StatusCode, now, waits)
	}
}

// waitsSoFar is Envoy's count of waits.
func waitsSoFar(t *testing.T, admin string) string {
	t.Helper()
	stats, err := fetch("http://" + admin + "/stats?filter=ratelimit.hold.total")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(stats)
}
