// Command bench prints the figures of pushes as a whole: a real API server, `wasmpoint controller` in a process of its own,
// and beside it in the same run the floor, the least that a control plane can be. The README says what is measured, and how.
//
//	make bench-push
//	make bench-push ROWS=1,2 QUICK=1
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// bench is one run.
type bench struct {
	h        *host
	table    table
	rows     []string
	quick    bool
	secure   bool
	binary   string
	floor    string
	profiles string
}

var began = time.Now()

// progress tells what is going on; the table alone goes to standard output.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

func main() {
	b := &bench{}
	rows := flag.String("rows", "", "rows of the table, as 1,2 (default: all)")
	flag.BoolVar(&b.quick, "quick", false, "a tenth of the world, and few changes: to see that it works")
	flag.BoolVar(&b.secure, "tls", true, "measure the product with its shipped TLS as well")
	flag.StringVar(&b.binary, "wasmpoint", "bin/wasmpoint", "the product, built without the race detector")
	flag.StringVar(&b.floor, "floor", "bin/floor", "the floor, built from conformance/bench/floor")
	flag.StringVar(&b.profiles, "profiles", "", "write profiles of the product into this folder")
	flag.Parse()
	log.SetLogger(logr.Discard()) // or controller-runtime complains that nobody did
	if b.rows = strings.Split(*rows, ","); *rows == "" {
		b.rows = strings.Split("1,2,3,4,5,6,7,8,9,10,11", ",")
	}
	var err error
	if b.any("1", "2", "3", "4", "5", "6") {
		err = b.run(b.world)
	}
	if err == nil && b.any("7", "8") {
		err = b.run(b.bigWorld)
	}
	if err == nil && b.any("9", "10", "11") {
		err = b.run(b.mesh)
	}
	b.table.print(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run calls f with a host of its own, which ends what f started.
func (b *bench) run(f func()) error {
	b.h = &host{}
	return b.h.run(f)
}

// any tells whether one of the rows is wanted.
func (b *bench) any(rows ...string) bool {
	return slices.ContainsFunc(rows, func(r string) bool { return slices.Contains(b.rows, r) })
}

// of is a number of things, or less in a quick run.
func (b *bench) of(n, quick int) int {
	if b.quick {
		return quick
	}
	return n
}

// world measures what the issue asks of the common world: first beside the floor, without TLS, then with TLS.
func (b *bench) world() {
	w := newWorld(b.h, size{b.of(1000, 100), b.of(200, 20), b.of(1000, 100)})
	var floor *plane
	if b.any("1", "2", "3", "4", "5") {
		floor = w.floor(b.floor)
		b.plane(w, floor, w.product(b.binary, false), columnProduct)
		floor.stop()
		if b.secure {
			b.plane(w, nil, w.product(b.binary, true), columnTLS)
		}
	}
	if b.any("6") {
		w.addWaypoint()
		for _, secure := range []bool{false, true} {
			if !secure || b.secure {
				b.urgent(w, secure)
			}
		}
	}
}

// plane measures one form of the product, with the floor's figures in turn with it if there is one.
func (b *bench) plane(w *world, floor, p *plane, column int) {
	progress("%s: ready in %s; waiting until the status of everything is written", p.name, p.start.Round(time.Millisecond))
	w.statuses(p)
	progress("%s: RSS %s without proxies", p.name, megabytes(p.usage().rss))
	var planes []*plane
	if planes = append(planes, p); floor != nil {
		planes = append(planes, floor)
	}
	if b.any("1") {
		b.one(planes, column)
	}
	if b.any("2", "4", "5") {
		b.many(planes, column)
	}
	if b.any("3") {
		b.noise(planes, column)
	}
	p.stop()
}
