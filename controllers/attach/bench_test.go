package attach

import (
	"fmt"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

// bigWorld has 500 namespaces with one ingress gateway, one waypoint, ten Services of two ports and twenty plugins each,
// and twenty plugins of the root namespace: 1,000 Gateways, 5,000 Services, 10,020 plugins.
func bigWorld() []store.Event {
	var objects []any
	for n := range 500 {
		ns := fmt.Sprintf("team-%03d", n)
		objects = append(objects, namespace(ns, uses("waypoint")), ingress(ns+"/ingress"), waypoint(ns+"/waypoint"))
		for i := range 10 {
			service := fmt.Sprintf("svc-%d", i)
			objects = append(objects, svc(ns+"/"+service, []string{"http:80", "tcp:9000"}))
			objects = append(objects, plugin(fmt.Sprintf("%s/for-%s", ns, service), "Service:"+service))
		}
		for i := range 4 {
			objects = append(objects, plugin(fmt.Sprintf("%s/at-ingress-%d", ns, i), "Gateway:ingress"))
			objects = append(objects, plugin(fmt.Sprintf("%s/at-waypoint-%d", ns, i), "Gateway:waypoint"))
		}
		objects = append(objects, plugin(ns+"/anywhere"), network(plugin(ns+"/tcp", "Gateway:waypoint")))
	}
	for i := range 10 {
		objects = append(objects, plugin(fmt.Sprintf("istio-system/all-%d", i)))
		objects = append(objects, plugin(fmt.Sprintf("istio-system/mesh-%d", i), "GatewayClass:"+extv1.ClassWaypoint))
	}
	events := make([]store.Event, 0, len(objects))
	for _, object := range objects {
		events = append(events, store.Event{Object: object})
	}
	return events
}

func changed(p *model.Plugin, i int) store.Event {
	p.Generation = int64(i) + 2
	return store.Event{Object: p}
}

func BenchmarkOneChangeInABigWorld(b *testing.B) {
	tracker := NewTracker(Config{})
	if _, err := tracker.Apply(bigWorld()...); err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name  string
		event func(i int) store.Event
		// places is how many places each change must change.
		places int
	}{
		{"a plugin of one Service", func(i int) store.Event {
			return changed(plugin("team-250/for-svc-3", "Service:svc-3"), i)
		}, 1},
		{"a plugin of one ingress gateway", func(i int) store.Event {
			return changed(plugin("team-250/at-ingress-1", "Gateway:ingress"), i)
		}, 1},
		{"a plugin of one waypoint", func(i int) store.Event {
			return changed(plugin("team-250/at-waypoint-1", "Gateway:waypoint"), i)
		}, 10},
		{"a plugin moves from one Service to another", func(i int) store.Event {
			return changed(plugin("team-250/for-svc-4", fmt.Sprintf("Service:svc-%d", 4+i%2)), i)
		}, -1},
		{"a plugin of all waypoints", func(i int) store.Event {
			return changed(plugin("istio-system/mesh-1", "GatewayClass:"+extv1.ClassWaypoint), i)
		}, 5000},
		{"a Service gets another port", func(i int) store.Event {
			return store.Event{Object: svc("team-250/svc-3", []string{"http:80", fmt.Sprintf("tcp:%d", 9000+i%2)})}
		}, -1},
		{"unrelated: a Service is annotated", func(i int) store.Event {
			s := svc("team-250/svc-3", []string{"http:80", "tcp:9000"})
			s.Annotations["at"] = fmt.Sprint(i)
			return store.Event{Object: s}
		}, -1},
		{"unrelated: an EndpointSlice", func(i int) store.Event {
			slice := &discoveryv1.EndpointSlice{ObjectMeta: meta("team-250/svc-3-abc")}
			slice.Labels[discoveryv1.LabelServiceName] = "svc-3"
			slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{fmt.Sprintf("10.0.0.%d", i%250)}}}
			return store.Event{Object: slice}
		}, 0},
		{"unrelated: the status of a Gateway", func(i int) store.Event {
			g := waypoint("team-250/waypoint")
			g.ResourceVersion = fmt.Sprint(i)
			return store.Event{Object: g}
		}, 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				changes, err := tracker.Apply(bench.event(i))
				if err != nil {
					b.Fatal(err)
				}
				if bench.places >= 0 && len(changes.Places) != bench.places {
					b.Fatalf("%d places changed, want %d", len(changes.Places), bench.places)
				}
				i++
			}
		})
	}
}

func BenchmarkABigWorldFromNothing(b *testing.B) {
	events := bigWorld()
	for b.Loop() {
		tracker := NewTracker(Config{})
		if _, err := tracker.Apply(events...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFullOfABigWorld(b *testing.B) {
	s := store.New()
	for _, event := range bigWorld() {
		if _, _, err := s.Put(event.Object); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		Rules{View: s}.Full()
	}
}
