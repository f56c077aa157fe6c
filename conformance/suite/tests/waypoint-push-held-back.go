package tests

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/wasmpoint/wasmpoint/conformance/suite"
)

func init() {
	register(suite.Test{
		ShortName:   "WaypointPushHeldBack",
		Description: "While a waypoint hears nothing for 5 s, requests to Services that come to it wait and run its plugins in the end, those to Services that leave it go on, and none fails; one that waits for too long is closed, and never passed on without the plugins.",
		Features:    []features.FeatureName{suite.AttachToWaypoint, suite.WaypointBinding},
		Manifests:   []string{"base/two-waypoints.yaml", "waypoint-push-held-back.yaml"},
		Test: func(t *testing.T, w *suite.World) {
			w.Proxies("two", 1)
			held, proxy := w.HoldBack(), w.PodOf("one")
			proxy.Through(held)
			proxy.Start()
			at := func(service string) suite.Request { return suite.Request{Address: w.Service(service, 9080)} }
			use := func(service, label string) {
				o := &corev1.Service{}
				o.Namespace, o.Name = w.Namespace, service
				w.Patch(o, `{"metadata": {"labels": {"istio.io/use-waypoint": `+label+`}}}`)
			}
			w.MustUse("Service/ratings", "one")
			w.MustUse("Service/details", "one")
			w.MustAnswer(at("ratings"), suite.Want{Status: 200, Plugins: "one"})
			w.MustAnswer(at("details"), suite.Want{Status: 200, Plugins: "one"})
			held.Hold()
			loads := []*suite.Stream{
				w.Under(at("reviews").Address, "", "one"), w.Under(at("ratings").Address, "one", ""), w.Under(at("details").Address, "one", "two"),
			}
			use("reviews", `"one"`)
			use("ratings", `null`)
			use("details", `"two"`)
			w.MustUse("Service/reviews", "one")
			w.MustUse("Service/ratings", "")
			w.MustUse("Service/details", "two")
			begin := time.Now()
			time.AfterFunc(5*time.Second, held.Release)
			if a, err := w.SendFor(at("reviews"), 20*time.Second); err != nil || a.Status != 200 || a.Plugins != "one" || time.Since(begin) < 4*time.Second {
				t.Errorf("a request to a Service that the waypoint does not know yet: %+v, %v after %s; want the plugin's mark after 5 s", a, err, time.Since(begin))
			}
			w.MustStay(at("reviews"), suite.Want{Status: 200, Plugins: "one"})
			for _, load := range loads {
				load.MustNotFail()
			}
			held.Hold()
			use("late", `"one"`)
			w.MustUse("Service/late", "one")
			begin = time.Now()
			if a, err := w.SendFor(at("late"), 20*time.Second); err == nil || time.Since(begin) > 19*time.Second {
				t.Errorf("a request that waited for %s: %+v, %v; want its connection closed", time.Since(begin), a, err)
			}
			held.Release()
			w.MustAnswer(at("late"), suite.Want{Status: 200, Plugins: "one"})
		},
	})
}
