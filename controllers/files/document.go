package files

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parsed is what one file holds.
type parsed struct {
	objects []*object
	notes   []Note
	errs    []Error
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)

// parse reads all documents of a file. Broken documents do not hide the problems of those behind them.
func parse(name string, content []byte, refuseInvalid bool) parsed {
	p := &parser{file: name, refuseInvalid: refuseInvalid, lines: 1 + bytes.Count(bytes.TrimRight(content, "\n"), []byte("\n"))}
	if filepath.Ext(name) == ".json" {
		// JSON may be indented with tabs, which YAML refuses; inside of JSON strings there are none.
		content = bytes.ReplaceAll(content, []byte("\t"), []byte(" "))
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	for _, d := range split(content) {
		var node yaml.Node
		err := yaml.NewDecoder(bytes.NewReader(d.text)).Decode(&node)
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			p.syntax(err, d)
			continue
		}
		p.root(&node, d.offset)
	}
	return p.parsed
}

type piece struct {
	text []byte
	// offset is how many lines of the file stand before the text.
	offset int
}

// split cuts a file at its document markers. A line that begins with --- is one wherever it stands, even within a block
// of text (YAML 1.2, section 9.1.2).
func split(content []byte) []piece {
	var out []piece
	start, startLine, line := 0, 0, 0
	for at := 0; at < len(content); line++ {
		end := len(content)
		if n := bytes.IndexByte(content[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		text := content[at:end]
		if bytes.HasPrefix(text, []byte("---")) && (len(text) == 3 || strings.ContainsRune(" \t\r\n", rune(text[3]))) {
			if line > 0 {
				out = append(out, piece{content[start:at], startLine})
			}
			start, startLine = at, line
		}
		at = end
	}
	out = append(out, piece{content[start:], startLine})
	// Directives (%YAML) belong to the document behind the marker, and say nothing that matters here.
	if first := bytes.TrimSpace(out[0].text); len(out) > 1 && bytes.HasPrefix(first, []byte("%")) {
		out = out[1:]
	}
	return out
}

type parser struct {
	file string
	// lines is how many the file has: the YAML reader may see a problem behind the end.
	lines int
	// refuseInvalid makes a plugin whose conversion finds it invalid an error of the file (set.refuseInvalid).
	refuseInvalid bool
	parsed
}

func (p *parser) at(line int) Position {
	return Position{File: p.file, Line: max(1, min(line, p.lines))}
}

func (p *parser) fail(line int, field, problem string) {
	p.errs = append(p.errs, Error{Position: p.at(line), Field: field, Problem: problem})
}

func (p *parser) syntax(err error, d piece) {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	p.fail(line+d.offset, "", "is not YAML: "+strings.TrimPrefix(text, "yaml: ")+"; correct the syntax near this line")
}

// root takes one document: an object, or a List of objects.
func (p *parser) root(n *yaml.Node, offset int) {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line+offset, "", "is not an object; write apiVersion, kind, metadata and spec")
		return
	}
	apiVersion, kind, items := head(n)
	if items == nil || !strings.HasSuffix(kind, "List") {
		p.object(newTree(n, offset))
		return
	}
	for _, item := range items.Content {
		t := newTree(item, offset)
		if m, ok := t.value.(map[string]any); ok && kind != "List" {
			// The items of a typed list may leave out what the list says.
			if _, has := m["kind"]; !has {
				m["kind"] = strings.TrimSuffix(kind, "List")
			}
			if _, has := m["apiVersion"]; !has {
				m["apiVersion"] = apiVersion
			}
		}
		p.object(t)
	}
}

// head reads apiVersion, kind and items of a mapping.
func head(n *yaml.Node) (apiVersion, kind string, items *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch value := n.Content[i+1]; n.Content[i].Value {
		case "apiVersion":
			apiVersion = value.Value
		case "kind":
			kind = value.Value
		case "items":
			if value.Kind == yaml.SequenceNode {
				items = value
			}
		}
	}
	return apiVersion, kind, items
}
