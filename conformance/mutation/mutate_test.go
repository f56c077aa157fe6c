package main

import (
	"strings"
	"testing"
)

const rule = `package rule

import "cmp"

func allowed(a, b bool, n int) int {
	if a && (b || n > 1) {
		return 1
	}
	switch {
	case n == 2, n == 3:
		return 2
	}
	return cmp.Or(cmp.Compare(n, 4), 5)
}
`

func TestEveryOperandOfAConditionIsForcedBothWays(t *testing.T) {
	t.Parallel()
	var m mutator
	out, err := m.file("rule.go", []byte(rule))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"if mutantBool(1, a) && (mutantBool(3, b) || mutantBool(5, n > 1)) {",
		"case mutantBool(7, n == 2), mutantBool(9, n == 3):",
		"cmp.Or(mutantInt(11, cmp.Compare(n, 4)), mutantInt(12, 5))",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the mutated source lacks %q:\n%s", want, out)
		}
	}
	if got, want := len(m.mutants), 12; got != want {
		t.Errorf("%d mutants, want %d", got, want)
	}
	if got, want := m.mutants[2].String(), "rule.go:6 allowed: b -> true"; got != want {
		t.Errorf("mutant %q, want %q", got, want)
	}
}
