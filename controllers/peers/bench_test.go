package peers

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/acks"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// fleet is 2,000 proxies, two for each of 1,000 gateways, with five slots each.
func fleet(b *testing.B) (*acks.Registry, []*acks.Handle) {
	b.Helper()
	r := acks.NewRegistry(acks.Events{})
	var handles []*acks.Handle
	for i := range 2000 {
		g := types.NamespacedName{Namespace: fmt.Sprintf("team-%d", i/20), Name: fmt.Sprintf("gateway-%d", i/2)}
		h := r.Connect(fmt.Sprintf("%s/%s-7d9f8b6c5-%05d", g.Namespace, g.Name, i), g, "1.40.0", time.Now())
		for _, phase := range model.Phases {
			h.SetSlot(names.Slot(model.Scope{Gateway: g, Port: 80}, phase), acks.Slot{
				Version: "1-0123456789abcdef01234567", Running: []string{"0123456789abcdef01234567"}, Synced: true,
			})
		}
		h.SetSlot(names.Prefetch(g), acks.Slot{Version: "empty", Synced: true})
		handles = append(handles, h)
	}
	return r, handles
}

func size(b *testing.B, l *line) int {
	b.Helper()
	out, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	return len(out)
}

// BenchmarkFirstLine is what a new leader costs each replica.
func BenchmarkFirstLine(b *testing.B) {
	r, _ := fleet(b)
	n := 0
	for b.Loop() {
		n = size(b, sent{}.all(r, "replica"))
	}
	b.ReportMetric(float64(n), "bytes/line")
}

// BenchmarkReadFirstLine is what it costs the leader.
func BenchmarkReadFirstLine(b *testing.B) {
	r, _ := fleet(b)
	raw, err := json.Marshal(sent{}.all(r, "replica"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var l line
		if err := json.Unmarshal(raw, &l); err != nil || len(l.Proxies) != 2000 {
			b.Fatal(err, len(l.Proxies))
		}
	}
}

// BenchmarkOneGatewayChanges is the two proxies of one gateway that take a new version.
func BenchmarkOneGatewayChanges(b *testing.B) {
	benchmarkChange(b, 2)
}

// BenchmarkAllChange is all 2,000 proxies within one coalescing.
func BenchmarkAllChange(b *testing.B) {
	benchmarkChange(b, 2000)
}

func benchmarkChange(b *testing.B, proxies int) {
	r, handles := fleet(b)
	told := sent{}
	told.all(r, "replica")
	n, version := 0, 0
	for b.Loop() {
		b.StopTimer()
		version++
		gateways := map[types.NamespacedName]struct{}{}
		for i, h := range handles[:proxies] {
			g := types.NamespacedName{Namespace: fmt.Sprintf("team-%d", i/20), Name: fmt.Sprintf("gateway-%d", i/2)}
			gateways[g] = struct{}{}
			h.SetSlot(names.Slot(model.Scope{Gateway: g, Port: 80}, model.PhaseAuthn), acks.Slot{Version: fmt.Sprint(version), Synced: true})
		}
		b.StartTimer()
		l := told.changed(r, gateways)
		if len(l.Proxies) != proxies {
			b.Fatalf("%d proxies changed, want %d", len(l.Proxies), proxies)
		}
		n = size(b, l)
	}
	b.ReportMetric(float64(n), "bytes/line")
}
