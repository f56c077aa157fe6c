package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// urgent is row 6: a plugin of one Service changes while a plugin of all Services of its waypoint does. The proxy is subscribed
// to every slot of the waypoint, and acknowledges at once.
func (b *bench) urgent(w *world, secure bool) {
	column := columnProduct
	if secure {
		column = columnTLS
	}
	p := w.product(b.binary, secure)
	defer p.stop()
	w.statuses(p)
	config := p.proxy("waypoint", "waypoint")
	config.Slots = nil
	for i := range servicesOfWaypoint {
		key := model.ServiceKey{Kind: "Service", Namespace: namespace, Name: meshService(i)}
		scope := model.Scope{Gateway: types.NamespacedName{Namespace: namespace, Name: "waypoint"}, Service: key, Port: 80}
		for _, phase := range model.Phases {
			config.Slots = append(config.Slots, names.Slot(scope, phase))
		}
	}
	var mark atomic.Pointer[[]byte]
	var arrived atomic.Int64
	mark.Store(&[]byte{0})
	wideDone := make(chan time.Time, 1)
	config.Arrived = func(r fakeproxy.Resource) {
		if bytes.Contains(r.Body, *mark.Load()) && arrived.Add(1) == servicesOfWaypoint {
			wideDone <- r.At
		}
	}
	fleet, err := fakeproxy.StartFleet(context.Background(), 1, config)
	b.h.check(err)
	defer fleet.Stop()
	var alone, behind, wide []time.Duration
	under := 0
	for i := range 2 * b.of(60, 10) {
		change := w.mark()
		fleet.Expect(change)
		both := i%2 == 1
		var begin time.Time
		if both {
			text := []byte(w.mark())
			arrived.Store(0)
			mark.Store(&text)
			begin = time.Now()
			_, err := w.patch("wide", string(text))
			b.h.check(err)
		}
		start := time.Now()
		_, err := w.patch("urgent", change)
		b.h.check(err)
		_, last, err := fleet.Wait(limit)
		b.h.check(err)
		switch took := last.Sub(start); {
		case i < 4: // the module gets known
		case both:
			behind = append(behind, took)
		default:
			alone = append(alone, took)
		}
		if both {
			select {
			case at := <-wideDone:
				wide = append(wide, at.Sub(begin))
				if at.After(last) {
					under++
				}
			case <-time.After(limit):
				b.h.Fatalf("the wide change is on %d of %d Services after %s", arrived.Load(), servicesOfWaypoint, limit)
			}
		}
		time.Sleep(pause)
	}
	l := b.table.line(fmt.Sprintf("6: a change of one Service behind one of all %d of its waypoint", servicesOfWaypoint), "p99 at most 100 ms")
	l.cells[column] = quantiles(behind)
	b.table.line("6: the same change alone", "").cells[column] = quantiles(alone)
	b.table.line(fmt.Sprintf("6: the wide change, on all %d", servicesOfWaypoint), "").cells[column] = quantiles(wide)
	if column == columnProduct {
		l.meets(quantile(behind, 0.99) <= 100*time.Millisecond)
	}
	progress("urgent behind wide: %s (in %d of %d the wide one ended later)", l.cells[column], under, len(wide))
}
