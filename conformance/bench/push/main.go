// Command push measures what it costs to bring one plugin's changed configuration to all proxies of a Gateway: our server,
// from the hub on, beside the floor, go-control-plane's linear cache with its delta server. Their changes
// alternate in one run, with the same kind of fake proxies over loopback.
//
//	go run ./conformance/bench/push -proxies 1,100,500,2000
//
// The control plane is in a process of its own, so its CPU and memory are its own; with -together it is in the proxies'
// process, and CPU is that of both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
)

func main() {
	kind := flag.String("serve", "", "be a control plane: ours or floor (used by this program itself)")
	counts := flag.String("proxies", "1,100,500,2000", "how many proxies, one run for each")
	changes := flag.Int("changes", 60, "changes per run")
	only := flag.String("only", "ours,floor", "control planes to measure")
	together := flag.Bool("together", false, "control plane and proxies in one process")
	unrelated := flag.Int("unrelated", 0, "changes per second, meanwhile, of what no proxy asked for")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the changes to this file (with -together)")
	flag.Parse()
	var err error
	if *kind != "" {
		err = serve(*kind, os.Stdin, os.Stdout)
	} else {
		err = compare(strings.Split(*counts, ","), strings.Split(*only, ","), run{
			changes: *changes, together: *together, unrelated: *unrelated, profile: *profile,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "push:", err)
		os.Exit(1)
	}
}

// compare measures the control planes with every number of proxies and prints a table. Their changes alternate, so that what
// else this machine does meets all of them alike.
func compare(counts, kinds []string, r run) error {
	fmt.Printf("%-6s %7s  %9s %9s %9s %9s  %9s  %8s %12s\n", "", "proxies", "first p50", "last p10", "last p50", "last p99", "CPU/chg", "RSS", "RSS/further")
	alone := map[string]int64{}
	for _, count := range counts {
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			return fmt.Errorf("-proxies: %w", err)
		}
		results, err := r.measure(kinds, n)
		if err != nil {
			return fmt.Errorf("%d proxies: %w", n, err)
		}
		for i, kind := range kinds {
			m, further := results[i], ""
			if n == 1 {
				alone[kind] = m.rss
			} else if alone[kind] > 0 && !r.together {
				further = fmt.Sprintf("%.1f KiB", float64(m.rss-alone[kind])/float64(n-1))
			}
			fmt.Printf("%-6s %7d  %6.2f ms %6.2f ms %6.2f ms %6.2f ms  %6.2f ms  %5.1f MB %12s\n", kind, n,
				ms(m.first, 0.5), ms(m.last, 0.1), ms(m.last, 0.5), ms(m.last, 0.99), float64(m.cpu.Microseconds())/1000, float64(m.rss)/1024, further)
		}
		if len(kinds) == 2 {
			a, b := results[0], results[1]
			fmt.Printf("%s / %s: last p10 %.2f, p50 %.2f, CPU %.2f\n", kinds[0], kinds[1], ms(a.last, 0.1)/ms(b.last, 0.1), ms(a.last, 0.5)/ms(b.last, 0.5), float64(a.cpu)/float64(b.cpu))
		}
	}
	return nil
}

// run is how to measure.
type run struct {
	changes   int
	together  bool
	unrelated int
	profile   string
}

// result is one row of the table. CPU is per change.
type result struct {
	first, last []time.Duration
	cpu         time.Duration
	rss         int64
}

// pause lets the acknowledgements of a change end before the next one.
const pause = 30 * time.Millisecond

// limit ends a broken run.
const limit = 30 * time.Second

// subject is a control plane with its proxies.
type subject struct {
	plane
	fleet *fakeproxy.Fleet
	result
}

func (r run) measure(kinds []string, n int) ([]result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all []*subject
	for _, kind := range kinds {
		s, err := r.begin(ctx, kind, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		defer s.end()
		defer r.background(s.plane)()
		all = append(all, s)
	}
	if r.profile != "" {
		f, err := os.Create(r.profile)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	results := make([]result, len(all))
	for i := range r.changes {
		for k, s := range all {
			if err := s.measure(fmt.Sprintf("change-%d-", i)); err != nil {
				return nil, fmt.Errorf("%s: %w", kinds[k], err)
			}
		}
	}
	for k, s := range all {
		results[k] = s.result
		results[k].cpu /= time.Duration(r.changes)
	}
	return results, nil
}

// begin starts a control plane and connects its proxies.
func (r run) begin(ctx context.Context, kind string, n int) (*subject, error) {
	plane, proxy, err := r.plane(kind)
	if err != nil {
		return nil, err
	}
	s := &subject{plane: plane}
	if err := plane.change("first-"); err != nil {
		s.end()
		return nil, err
	}
	if s.fleet, err = fakeproxy.StartFleet(ctx, n, proxy); err != nil {
		s.end()
		return nil, err
	}
	for i := range 10 { // everything acknowledged, the module known to run
		if err := s.measure(fmt.Sprintf("warm-%d-", i)); err != nil {
			s.end()
			return nil, err
		}
	}
	s.result = result{}
	return s, nil
}

// measure makes one change and notes how long it took to the first and to the last proxy, and what it cost.
func (s *subject) measure(mark string) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	s.fleet.Expect(mark)
	begin := time.Now()
	if err := s.change(mark); err != nil {
		return err
	}
	first, last, err := s.fleet.Wait(limit)
	if err != nil {
		return err
	}
	s.first, s.last = append(s.first, first.Sub(begin)), append(s.last, last.Sub(begin))
	time.Sleep(pause)
	after, err := s.usage()
	s.cpu, s.rss = s.cpu+after.cpu-before.cpu, after.rss
	return err
}

func (s *subject) end() {
	if s.fleet != nil {
		s.fleet.Stop()
	}
	s.stop()
}

// background makes unrelated changes until it is stopped.
func (r run) background(p plane) (stop func()) {
	if r.unrelated == 0 {
		return func() {}
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-time.After(time.Second / time.Duration(r.unrelated)):
			}
			if err := p.unrelated(i); err != nil {
				fmt.Fprintln(os.Stderr, "push: unrelated change:", err)
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

// ms is a quantile in milliseconds.
func ms(list []time.Duration, q float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return float64(s[int(q*float64(len(s)-1)+0.5)].Microseconds()) / 1000
}
