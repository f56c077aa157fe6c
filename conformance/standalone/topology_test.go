package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/load"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// TestServicesAndRoutesComeAndGoBesideTraffic: other Services of the waypoint and other rules of the gateway do not notice
// it, and a new one does not wait until Envoy gives up on endpoints that it was not sent (15 s).
func TestServicesAndRoutesComeAndGoBesideTraffic(t *testing.T) {
	const (
		tooLong = 12 * time.Second
		others  = 40
	)
	web, u := backend(t, "web", inMesh, "http")
	rule := func(service string) string {
		return fmt.Sprintf("  - matches: [{path: {type: PathPrefix, value: /%[1]s}}]\n    backendRefs: [{name: %[1]s, port: 9080}]\n", service)
	}
	w := start(t, map[string]string{
		"web.yaml": web, "edge.yaml": edgeGateway, "route.yaml": routeRules(rule("web")), "waypoint.yaml": waypoint,
	})
	edge, service := w.gateway("edge"), w.service("web", 9080)
	w.answers(edge, "/web", 200, "")
	w.answers(service, "/", 200, "")
	var loads []*load.Load
	for _, url := range []string{"http://" + edge + "/web", "http://" + service + "/"} {
		l := load.Start(load.Config{Rate: loadRate, Request: func() (*http.Request, error) {
			return http.NewRequest(http.MethodGet, url, nil)
		}})
		t.Cleanup(func() { l.Stop() })
		loads = append(loads, l)
	}
	var names []string
	var slowest time.Duration
	served := func(what, addr, path string) {
		t.Helper()
		begin := time.Now()
		testbed.Eventually(t, tooLong, what, func() (bool, string) {
			code, _, err := get(addr, path)
			return err == nil && code == http.StatusOK, fmt.Sprint(code, err)
		})
		slowest = max(slowest, time.Since(begin))
	}
	for i := range others {
		name := fmt.Sprint("other-", i)
		names = append(names, rule(name))
		w.write(name+".yaml", serviceManifest(name, inMesh, "http", u.port))
		w.write("route.yaml", routeRules(strings.Join(names, "")+rule("web")))
		w.eventually("an address", func() (bool, string) {
			for _, s := range w.snapshot().Services {
				if s.Name == name && s.Waypoint != "" {
					return true, ""
				}
			}
			return false, "none"
		})
		served(name+" at the waypoint", w.service(name, 9080), "/")
		served(name+" behind the gateway", edge, "/"+name)
	}
	t.Logf("%d Services and rules added, each served after %s at most", others, slowest.Round(time.Millisecond))
	w.write("route.yaml", routeRules(rule("web")))
	for i := range others {
		w.remove(fmt.Sprint("other-", i, ".yaml"))
	}
	w.eventually("the rules are gone", func() (bool, string) {
		code, _, err := get(edge, fmt.Sprint("/other-", others-1))
		return code == http.StatusNotFound, fmt.Sprint(code, err)
	})
	w.answers(edge, "/web", 200, "")
	w.answers(service, "/", 200, "")
	for i, name := range []string{"gateway", "waypoint"} {
		report := loads[i].Stop()
		t.Logf("%s: %s", name, report)
		if report.Failed != 0 || report.Repeated != 0 || report.OK == 0 {
			t.Errorf("%s: requests failed: %s", name, report)
		}
	}
}
