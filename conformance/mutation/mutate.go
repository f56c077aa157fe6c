package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// variable is the environment variable that chooses a mutant.
const variable = "WASMPOINT_MUTANT"

// mutant is one condition forced to one value, or one step of a comparison left out.
type mutant struct {
	id int
	// file and line are where the condition stands, function is around it.
	file     string
	line     int
	function string
	text     string
	to       string
	// nth counts conditions of the same text in one function, from 1.
	nth int
}

// String is file:line, function, condition and what is made of it.
func (m mutant) String() string {
	return fmt.Sprintf("%s:%d %s: %s -> %s", m.file, m.line, m.function, m.text, m.to)
}

// key names a mutant without its line, so that it survives edits elsewhere.
func (m mutant) key() string {
	key := m.function + ": " + m.text + " -> " + m.to
	if m.nth > 1 {
		key += fmt.Sprintf(" (number %d)", m.nth)
	}
	return key
}

// helper is added to the mutated package.
const helper = `package %s

import (
	"os"
	"strconv"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv("` + variable + `"))

func mutantBool(id int, v bool) bool {
	switch mutantNumber {
	case id:
		return true
	case id + 1:
		return false
	}
	return v
}

func mutantInt(id, v int) int {
	if mutantNumber == id {
		return 0
	}
	return v
}

func init() {
	switch mutantNumber {
%s	}
}
`

// mutator wraps the conditions of files in calls of the helper.
type mutator struct {
	next    int
	mutants []mutant
	// removals are the cases of the helper that take entries out of tables.
	removals strings.Builder
}

func (m *mutator) add(n mutant) {
	n.nth = 1
	for _, o := range m.mutants {
		if o.file == n.file && o.function == n.function && o.text == n.text && o.to == n.to {
			n.nth++
		}
	}
	m.mutants = append(m.mutants, n)
}

// helper is the source of the file that is added to a package.
func (m *mutator) helper(packageName string) []byte {
	return fmt.Appendf(nil, helper, packageName, m.removals.String())
}

type edit struct {
	at   int
	text string
	// order keeps an outer call outside of an inner one at the same place.
	order int
}

// file rewrites one source file.
func (m *mutator) file(name string, source []byte) ([]byte, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var edits []edit
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			m.tables(g, fset, source, name)
		}
		function, ok := d.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		w := &walker{m: m, fset: fset, source: source, file: name, function: function.Name.Name, seen: map[ast.Expr]bool{}}
		ast.Inspect(function, w.visit)
		edits = append(edits, w.edits...)
	}
	// From the end, so that offsets stay right.
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.order, a.order)) })
	out := slices.Clone(source)
	for _, e := range edits {
		out = slices.Insert(out, e.at, []byte(e.text)...)
	}
	return out, nil
}

// tables makes a mutant for every entry of a package's lists and maps: rules stand in such tables.
func (m *mutator) tables(g *ast.GenDecl, fset *token.FileSet, source []byte, file string) {
	for _, spec := range g.Specs {
		v := spec.(*ast.ValueSpec)
		if len(v.Values) != 1 {
			continue
		}
		literal, ok := v.Values[0].(*ast.CompositeLit)
		if !ok {
			continue
		}
		name := v.Names[0].Name
		for i, entry := range literal.Elts {
			var removal string
			switch t := literal.Type.(type) {
			case *ast.MapType:
				entry = entry.(*ast.KeyValueExpr).Key
				removal = fmt.Sprintf("delete(%s, %s)", name, text(source, fset, entry))
			case *ast.ArrayType:
				if t.Len == nil {
					removal = fmt.Sprintf("%s = append(%s[:%d:%d], %s[%d:]...)", name, name, i, i, name, i+1)
				}
			}
			if removal == "" {
				continue
			}
			m.next++
			fmt.Fprintf(&m.removals, "\tcase %d:\n\t\t%s\n", m.next, removal)
			m.add(mutant{
				id: m.next, file: file, line: fset.Position(entry.Pos()).Line, function: name,
				text: strings.Join(strings.Fields(text(source, fset, entry)), " "), to: "left out",
			})
		}
	}
}

type walker struct {
	m        *mutator
	fset     *token.FileSet
	source   []byte
	file     string
	function string
	edits    []edit
	seen     map[ast.Expr]bool
}

func (w *walker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		w.condition(n.Cond)
	case *ast.ForStmt:
		// Forcing a loop's end would run for ever.
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					w.condition(e)
				}
			}
		}
	case *ast.BinaryExpr:
		if n.Op == token.LAND || n.Op == token.LOR {
			w.condition(n)
		}
	case *ast.ReturnStmt:
		for _, e := range n.Results {
			if isComparison(e) {
				w.condition(e)
			}
		}
	case *ast.CallExpr:
		if text(w.source, w.fset, n.Fun) == "cmp.Or" {
			for _, a := range n.Args {
				w.wrap(a, "mutantInt", "left out")
			}
		}
	}
	return true
}

// isComparison tells what is a condition by its operator alone; types are not looked at.
func isComparison(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isComparison(e.X)
	case *ast.UnaryExpr:
		return e.Op == token.NOT
	case *ast.BinaryExpr:
		switch e.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return true
		}
	}
	return false
}

// condition takes the operands of && and ||, which are the rules, and not the whole.
func (w *walker) condition(e ast.Expr) {
	switch inner := e.(type) {
	case *ast.ParenExpr:
		w.condition(inner.X)
		return
	case *ast.BinaryExpr:
		if inner.Op == token.LAND || inner.Op == token.LOR {
			w.condition(inner.X)
			w.condition(inner.Y)
			return
		}
	}
	w.wrap(e, "mutantBool", "true", "false")
}

func (w *walker) wrap(e ast.Expr, function string, to ...string) {
	if w.seen[e] {
		return
	}
	w.seen[e] = true
	id := w.m.next + 1
	position := w.fset.Position(e.Pos())
	source := text(w.source, w.fset, e)
	for i, value := range to {
		w.m.add(mutant{
			id: id + i, file: w.file, line: position.Line, function: w.function,
			text: strings.Join(strings.Fields(source), " "), to: value,
		})
	}
	w.m.next = id + len(to) - 1
	from, end := position.Offset, w.fset.Position(e.End()).Offset
	w.edits = append(w.edits,
		edit{at: from, text: fmt.Sprintf("%s(%d, ", function, id), order: from - end},
		edit{at: end, text: ")", order: end - from})
}

func text(source []byte, fset *token.FileSet, n ast.Node) string {
	return string(bytes.TrimSpace(source[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset]))
}
