// Command mutation shows that the golden worlds hold the attachment rules: it forces every condition of
// controllers/attach to true and to false, one at a time, and expects a golden world to fail each time. It prints the
// world that noticed, and fails if a forced condition goes unnoticed without a reason in equivalent.go.
//
// All forced conditions are built into one test binary through `go test -overlay`, and an environment variable chooses
// one, so that the tree is not touched and nothing is compiled twice.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

// rules is the package that is mutated, golden the one whose tests must notice.
const (
	rules  = "controllers/attach"
	golden = "conformance/golden"
)

// others are files of the rules' package that hold no rules, with who holds them instead.
var others = map[string]string{
	"changes.go":     "what changed between two results; held by the law that incremental equals full",
	"refresh.go":     "the incremental keeper; held by the same law",
	"refreshsets.go": "the incremental keeper; held by the same law",
	"take.go":        "the incremental keeper; held by the same law",
	"tracker.go":     "the incremental keeper; held by the same law",
	"wide.go":        "the incremental keeper; held by the same law",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	mutants, binary, err := build(ctx, root, dir)
	if err != nil {
		return err
	}
	results, err := try(ctx, root, binary, mutants)
	if err != nil {
		return err
	}
	return report(results)
}

// report prints one line per mutant and fails if one survived.
func report(results []result) error {
	survivors, excused := 0, map[string]bool{}
	for _, r := range results {
		reason, known := equivalent[r.key()]
		switch {
		case r.noticedBy != "":
			fmt.Printf("%-90s noticed by %s\n", r.mutant, r.noticedBy)
			if known {
				fmt.Printf("%-90s is in equivalent.go, and is noticed; remove it there\n", r.mutant)
				survivors++
			}
		case known:
			fmt.Printf("%-90s equivalent: %s\n", r.mutant, reason)
		default:
			fmt.Printf("%-90s SURVIVED; add a golden world that needs it\n", r.mutant)
			survivors++
		}
		excused[r.key()] = true
	}
	for key := range equivalent {
		if !excused[key] {
			fmt.Printf("%q in equivalent.go names no condition any more; remove it\n", key)
			survivors++
		}
	}
	if survivors > 0 {
		return fmt.Errorf("%d of %d forced conditions are a problem, see above", survivors, len(results))
	}
	fmt.Printf("%d forced conditions, every one noticed or explained\n", len(results))
	return nil
}
