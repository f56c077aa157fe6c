package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Columns of the table.
const (
	columnFloor = iota
	columnProduct
	columnTLS
	columns
)

// line is one line of the table.
type line struct {
	work, goal string
	cells      [columns]string
	// met is "" for a figure that has no goal.
	met string
}

// table is the result.
type table struct{ lines []*line }

// line finds a line by its work, or adds it.
func (t *table) line(work, goal string) *line {
	for _, l := range t.lines {
		if l.work == work {
			return l
		}
	}
	l := &line{work: work, goal: goal}
	t.lines = append(t.lines, l)
	return l
}

// meets notes whether a goal is met.
func (l *line) meets(ok bool) {
	l.met = "NO"
	if ok {
		l.met = "yes"
	}
}

// print writes the table, aligned, as Markdown.
func (t *table) print(w io.Writer) {
	rows := [][]string{{"work", "floor", "wasmpoint", "with TLS", "goal", "met"}, nil}
	for _, l := range t.lines {
		rows = append(rows, []string{l.work, l.cells[columnFloor], l.cells[columnProduct], l.cells[columnTLS], l.goal, l.met})
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, width := range widths {
			cell := strings.Repeat("-", width)
			if r != nil {
				cell = r[i] + strings.Repeat(" ", width-len([]rune(r[i])))
			}
			b.WriteString("| " + cell + " ")
		}
		fmt.Fprintln(w, b.String()+"|")
	}
}

// ms is a time in milliseconds.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantiles are p10 / p50 / p90 / p99 in milliseconds.
func quantiles(list []time.Duration) string {
	var parts []string
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
		parts = append(parts, fmt.Sprintf("%.1f", ms(quantile(list, q))))
	}
	return strings.Join(parts, " / ") + " ms"
}

func megabytes(kib int64) string { return fmt.Sprintf("%.0f MB", float64(kib)/1024) }
