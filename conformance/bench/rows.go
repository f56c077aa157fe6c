package main

import (
	"fmt"
	"time"
)

// column of the i-th of the measured planes: the product, and then the floor.
func columnOf(i, product int) int {
	if i == 0 {
		return product
	}
	return columnFloor
}

func connectAll(planes []*plane, n int) []*subject {
	var out []*subject
	for _, p := range planes {
		progress("%s: connecting %d proxies", p.name, n)
		out = append(out, p.connect(n))
	}
	return out
}

func endAll(list []*subject) {
	for _, s := range list {
		s.end()
	}
}

// one is row 1: one proxy.
func (b *bench) one(planes []*plane, column int) {
	subjects := connectAll(planes, 1)
	defer endAll(subjects)
	got, _ := alternate(b.of(8, 2), b.of(25, 10), subjects...)
	api := b.table.line("API call itself, p10 / p50 / p90 / p99", "")
	l := b.table.line("1: 1 proxy", "p50 within 1 ms of the floor's")
	for i := range subjects {
		api.cells[columnOf(i, column)] = quantiles(got[i].api)
		l.cells[columnOf(i, column)] = quantiles(got[i].last)
	}
	if len(got) == 2 {
		l.meets(quantile(got[0].last, 0.5) <= quantile(got[1].last, 0.5)+time.Millisecond)
	}
	progress("1 proxy: %s", l.cells[column])
}

// many is rows 2, 4 and 5: 500 proxies of one Gateway, and then 500 more.
func (b *bench) many(planes []*plane, column int) {
	n := b.of(500, 50)
	subjects := connectAll(planes, n)
	defer endAll(subjects)
	got, cpu := alternate(b.of(5, 2), b.of(20, 5), subjects...)
	first := b.table.line(fmt.Sprintf("2: %d proxies, first proxy", n), "")
	last := b.table.line(fmt.Sprintf("2: %d proxies, last proxy", n), "p50 at most 0.8 × the floor's")
	cost := b.table.line(fmt.Sprintf("4: CPU per change, %d proxies", n), "at most the floor's")
	rss := b.table.line(fmt.Sprintf("5: RSS, %d proxies", n), "at most 120 MB")
	used := make([]usage, len(subjects))
	for i, s := range subjects {
		c := columnOf(i, column)
		used[i] = s.usage()
		first.cells[c], last.cells[c] = quantiles(got[i].first), quantiles(got[i].last)
		cost.cells[c], rss.cells[c] = fmt.Sprintf("%.1f ms", ms(cpu[i])), megabytes(used[i].rss)
	}
	if len(got) == 2 {
		last.meets(quantile(got[0].last, 0.5) <= quantile(got[1].last, 0.5)*8/10)
		cost.meets(cpu[0] <= cpu[1])
		rss.meets(used[0].rss <= 120<<10)
	}
	subjects[0].profile(b.profiles, "heap", fmt.Sprintf("heap-%d-%d", n, column))
	subjects[0].profile(b.profiles, "heap?debug=1", fmt.Sprintf("memstats-%d-%d", n, column))
	progress("%d proxies: last %s, CPU %s, RSS %s", n, last.cells[column], cost.cells[column], rss.cells[column])

	subjects[0].profiled(b.profiles, fmt.Sprintf("cpu-%d-%d", n, column), func() { subjects[0].changes(50) })
	subjects[0].profiled(b.profiles, fmt.Sprintf("cpu-unrelated-%d", column), func() { subjects[0].unrelated(80) })

	other := b.table.line("4: an unrelated change: CPU, messages sent", "under 1 ms, none")
	for i, s := range subjects {
		cpu, sent := s.unrelated(b.of(100, 20))
		other.cells[columnOf(i, column)] = fmt.Sprintf("%.2f ms, %d (%d bytes)", ms(cpu), sent.Messages, sent.Bytes)
		if i == 0 && column == columnProduct {
			other.meets(cpu < time.Millisecond && sent.Bytes == 0)
		}
	}
	progress("an unrelated change: %s", other.cells[column])

	further := b.table.line(fmt.Sprintf("5: RSS per further proxy after pushes, %d to %d", n, 2*n), "at most 72 KiB")
	for i, s := range subjects {
		before := s.usage().rss
		s.more(n)
		s.changes(b.of(20, 5))
		each := float64(s.usage().rss-before) / float64(n)
		further.cells[columnOf(i, column)] = fmt.Sprintf("%.1f KiB", each)
		if i == 0 && column == columnProduct {
			further.meets(each <= 72)
		}
	}
	progress("per further proxy: %s", further.cells[column])
}

// noise is row 3: the same changes, quiet and while others are made.
func (b *bench) noise(planes []*plane, column int) {
	n, rate := b.of(100, 10), 25
	subjects := connectAll(planes, n)
	defer endAll(subjects)
	rounds, each := b.of(6, 2), b.of(25, 5)
	quiet := make([]times, len(subjects))
	noisy := make([]times, len(subjects))
	for range rounds {
		got, _ := alternate(1, each, subjects...)
		stop := planes[0].w.background(rate)
		time.Sleep(rest)
		loud, _ := alternate(1, each, subjects...)
		stop()
		for i := range subjects {
			quiet[i].add(got[i])
			noisy[i].add(loud[i])
		}
		time.Sleep(rest)
	}
	before := b.table.line(fmt.Sprintf("3: %d proxies, quiet, last proxy", n), "")
	during := b.table.line(fmt.Sprintf("3: the same with %d other plugin changes per second", rate), "p99 at most 2 × its quiet p99")
	for i := range subjects {
		c := columnOf(i, column)
		before.cells[c], during.cells[c] = quantiles(quiet[i].last), quantiles(noisy[i].last)
	}
	if column == columnProduct {
		during.meets(quantile(noisy[0].last, 0.99) <= 2*quantile(quiet[0].last, 0.99))
	}
	progress("%d proxies: quiet %s, with %d changes per second %s", n, before.cells[column], rate, during.cells[column])
}
