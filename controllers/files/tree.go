package files

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases can blow a document up to.
const maxNodes = 1 << 17

// tree is one YAML document as JSON values, with the line of every field.
type tree struct {
	value any
	// lines maps a path to its line. A key of a map stands in it twice, as parent.key and as parent[key].
	lines map[string]int
	// start is the line of the document's first node.
	start  int
	errs   []fault
	offset int
	nodes  int
	// open are the aliases that are being followed.
	open map[*yaml.Node]bool
}

// fault is an error whose file is not yet known. A zero line is looked up by path.
type fault struct {
	path    string
	line    int
	problem string
}

// newTree converts a node; offset is added to its lines.
func newTree(n *yaml.Node, offset int) *tree {
	t := &tree{lines: map[string]int{}, start: n.Line + offset, offset: offset, open: map[*yaml.Node]bool{}}
	t.value = t.convert(n, "")
	return t
}

// line finds the line of a path, or of the nearest field around it.
func (t *tree) line(path string) int {
	for path != "" {
		if l, ok := t.lines[path]; ok {
			return l
		}
		cut := len(path) - 1
		for cut > 0 && path[cut] != '.' && path[cut] != '[' {
			cut--
		}
		path = path[:cut]
	}
	return t.start
}

func (t *tree) fail(n *yaml.Node, path, format string, a ...any) {
	t.errs = append(t.errs, fault{path: path, line: n.Line + t.offset, problem: fmt.Sprintf(format, a...)})
}

func (t *tree) convert(n *yaml.Node, path string) any {
	if t.nodes++; t.nodes > maxNodes {
		if t.nodes == maxNodes+1 {
			t.fail(n, path, "aliases make the document larger than %d values; write it without them", maxNodes)
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		if t.open[n.Alias] {
			t.fail(n, path, "the alias *%s stands within what it means; write the value out", n.Value)
			return nil
		}
		t.open[n.Alias] = true
		defer delete(t.open, n.Alias)
		return t.convert(n.Alias, path)
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil
		}
		t.start = n.Content[0].Line + t.offset
		return t.convert(n.Content[0], path)
	case yaml.MappingNode:
		return t.mapping(n, path)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			at := path + "[" + strconv.Itoa(i) + "]"
			t.lines[at] = item.Line + t.offset
			out = append(out, t.convert(item, at))
		}
		return out
	}
	return t.scalar(n, path)
}

func (t *tree) mapping(n *yaml.Node, path string) any {
	out := make(map[string]any, len(n.Content)/2)
	seen := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			t.fail(key, path, "a key is not a plain word; write it as text")
			continue
		}
		at := join(path, key.Value)
		if first, ok := seen[key.Value]; ok {
			t.fail(n.Content[i], at, "stands twice (first on line %d); remove one", first)
			continue
		}
		line := n.Content[i].Line + t.offset
		seen[key.Value] = line
		t.lines[at], t.lines[path+"["+key.Value+"]"] = line, line
		out[key.Value] = t.convert(value, at)
	}
	for _, m := range merges {
		t.merge(out, m, path)
	}
	return out
}

// merge adds what a YAML merge key (<<) brings; what the mapping itself says goes first.
func (t *tree) merge(out map[string]any, n *yaml.Node, path string) {
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			t.merge(out, item, path)
		}
		return
	}
	from, ok := t.convert(n, path).(map[string]any)
	if !ok {
		t.fail(n, path, "a merge key (<<) needs a mapping; name an anchor of one")
		return
	}
	for k, v := range from {
		if _, has := out[k]; !has {
			out[k] = v
		}
	}
}

// scalar keeps the digits of a number as the user wrote them, where JSON can hold them.
func (t *tree) scalar(n *yaml.Node, path string) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err == nil {
			return b
		}
	case "!!int", "!!float":
		if number := json.Number(n.Value); json.Valid([]byte(n.Value)) {
			return number
		}
		var i int64
		if err := n.Decode(&i); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			t.fail(n, path, "%s is a number that JSON cannot hold; write another one", n.Value)
			return nil
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return n.Value
}

// join is the path of a field.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
