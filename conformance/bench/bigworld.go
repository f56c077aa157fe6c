package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
)

// idle are connected proxies whose plugins do not change.
type idle []*fakeproxy.Proxy

// connectIdle connects n proxies, spread over the Gateways that are not measured, with what they hold already.
func (p *plane) connectIdle(n int, held []fakeproxy.Held) idle {
	var out idle
	for i := range n {
		c := p.proxy(fmt.Sprintf("idle-%d", i), fmt.Sprintf("gateway-%d", i%(p.w.size.gateways-2)))
		if p.plugin == "floor" {
			c.Slots = []string{namespace + "." + other(i%(p.w.size.plugins-2))}
		}
		if held != nil {
			c.Held = held[i]
		}
		proxy, err := fakeproxy.Start(context.Background(), c)
		p.w.h.check(err)
		out = append(out, proxy)
	}
	return out
}

func (l idle) stop() {
	for _, p := range l {
		p.Stop()
	}
}

func (l idle) received() (sum fakeproxy.Received) {
	for _, p := range l {
		r := p.Received()
		sum.Messages, sum.Bytes, sum.ResourceBytes = sum.Messages+r.Messages, sum.Bytes+r.Bytes, sum.ResourceBytes+r.ResourceBytes
	}
	return sum
}

func (l idle) held() []fakeproxy.Held {
	var out []fakeproxy.Held
	for _, p := range l {
		out = append(out, p.Held())
	}
	return out
}

// settled waits until nothing is sent to the proxies for two seconds.
func (l idle) settled() fakeproxy.Received {
	was := fakeproxy.Received{}
	for calm := time.Now(); time.Since(calm) < 2*time.Second; time.Sleep(100 * time.Millisecond) {
		if now := l.received(); now != was {
			was, calm = now, time.Now()
		}
	}
	return was
}

// bigWorld is rows 7 and 8. Writing the status of ten thousand plugins takes a quarter of an hour by the product's own bound
// of its rate, and goes on while this is measured.
func (b *bench) bigWorld() {
	w := newWorld(b.h, size{b.of(10000, 1000), b.of(1000, 100), b.of(5000, 500)})
	n := b.of(2000, 200)
	if b.any("7") {
		b.big(w.floor(b.floor), n, columnFloor)
	}
	b.big(w.product(b.binary, false), n, columnProduct)
	if b.secure {
		b.big(w.product(b.binary, true), n, columnTLS)
	}
}

func (b *bench) big(p *plane, n, column int) {
	defer p.stop()
	progress("%s: ready in %s, %s; connecting %d proxies", p.name, p.start.Round(time.Millisecond), megabytes(p.usage().rss), n)
	p.profiled(b.profiles, fmt.Sprintf("cpu-start-%d", column), func() {
		p.stop()
		p.run()
	})
	s := p.connect(2)
	defer func() { s.end() }()
	others := p.connectIdle(n-2, nil)
	others.settled()
	got, cpu := alternate(b.of(5, 2), b.of(20, 10), s)
	used := p.usage()
	p.profile(b.profiles, "heap", fmt.Sprintf("heap-big-%d", column))
	if b.any("7") {
		change := b.table.line(fmt.Sprintf("7: %s, %d proxies: a change of a Gateway with two, last proxy", p.w.size, n), "p50 under 60 ms")
		change.cells[column] = quantiles(got[0].last)
		b.table.line("7: the same: CPU per change", "").cells[column] = fmt.Sprintf("%.1f ms", ms(cpu[0]))
		rss := b.table.line("7: the same: RSS", "at most 600 MB")
		rss.cells[column] = megabytes(used.rss)
		start := b.table.line("7: the same: start to ready", "under 5 s")
		start.cells[column] = fmt.Sprintf("%.1f s", p.start.Seconds())
		if column == columnProduct {
			change.meets(quantile(got[0].last, 0.5) < 60*time.Millisecond)
			rss.meets(used.rss <= 600<<10)
			start.meets(p.start < 5*time.Second)
		}
		progress("%s: %s, RSS %s", p.name, change.cells[column], rss.cells[column])
	}
	if b.any("8") && column != columnFloor {
		others = b.restart(p, others, n-2, column)
	}
	others.stop()
}

// restart is row 8: the controller ends and starts again, and its proxies come back with what they have.
func (b *bench) restart(p *plane, proxies idle, n, column int) idle {
	before := proxies.received()
	p.stop()
	held := proxies.held()
	proxies.stop()
	p.run()
	proxies = p.connectIdle(n, held)
	sent := proxies.settled()
	l := b.table.line(fmt.Sprintf("8: restart with %d proxies that have everything: resources sent (at their first start)", n), "0 bytes")
	l.cells[column] = fmt.Sprintf("%d bytes (%d)", sent.ResourceBytes, before.ResourceBytes)
	b.table.line("8: the same: start to ready", "").cells[column] = fmt.Sprintf("%.1f s", p.start.Seconds())
	if column == columnProduct {
		l.meets(sent.ResourceBytes == 0)
	}
	progress("%s: restart in %s, %s", p.name, p.start.Round(time.Millisecond), l.cells[column])
	return proxies
}
