package main

import (
	"fmt"
	"io"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/walkthrough"
)

// table prints rows as they come, so that a person sees progress.
type table struct {
	out  io.Writer
	step string
	rows int
	bad  int
}

const format = "%-70s %-34s %-27s %8s %4s %9s\n"

func newTable(out io.Writer) *table {
	t := &table{out: out}
	fmt.Fprintf(out, format, "STEP", "REQUEST", "AUTHORIZATION", "EXPECTED", "GOT", "TIME")
	return t
}

func (t *table) row(r walkthrough.Row) {
	step := r.Step
	if step == t.step {
		step = ""
	}
	t.step = r.Step
	t.rows++
	authorization := r.Authorization
	if authorization == "" {
		authorization = "-"
	}
	got := fmt.Sprint(r.Got)
	if r.Got == 0 {
		got = "-"
	}
	fmt.Fprintf(t.out, format, step, string(r.At)+r.Path, authorization, fmt.Sprint(r.Want), got, r.Took.Round(100*time.Microsecond))
	if !r.OK() {
		t.bad++
		if r.Err != nil {
			fmt.Fprintf(t.out, "  %v\n", r.Err)
		}
	}
}

func (t *table) end(took time.Duration) {
	fmt.Fprintf(t.out, "\n%d of %d answers as expected, in %s. TIME is from the file change of the step to the first right answer.\n",
		t.rows-t.bad, t.rows, took.Round(100*time.Millisecond))
}
