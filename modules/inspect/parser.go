package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxTable bounds the sections that are kept in memory (imports, exports, memories). Real plugins have a few kilobytes.
const maxTable = 8 << 20

// sections names the sections; rank is the order in which they may stand. Custom sections (id 0) stand anywhere.
var sections = []struct {
	name string
	rank int
}{
	{"custom", 0}, {"type", 1}, {"import", 2}, {"function", 3}, {"table", 4}, {"memory", 5}, {"global", 7}, {"export", 8},
	{"start", 9}, {"element", 10}, {"code", 12}, {"data", 13}, {"data count", 11}, {"tag", 6},
}

// parser reads a module once, front to back.
type parser struct {
	r       *bufio.Reader
	pos     int64
	end     int64 // end of the current section
	readErr error // an error of the source, in contrast to one of its content
	section string
	info    Info
	funcs   uint64
	bodies  uint64
}

func (p *parser) module() error {
	if err := p.header(); err != nil {
		return err
	}
	last := 0
	for {
		id, err := p.r.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p.fail(err)
		}
		p.pos++
		if int(id) >= len(sections) {
			return errf("the module is damaged: unknown section %d at byte %d", id, p.pos-1)
		}
		p.section, p.end = sections[id].name, p.pos+10
		if rank := sections[id].rank; id != 0 {
			if rank <= last {
				return errf("the module is damaged: its %s section at byte %d stands twice or out of order", p.section, p.pos-1)
			}
			last = rank
		}
		size, err := p.uint(32)
		if err != nil {
			return err
		}
		p.end = p.pos + int64(size)
		if err := p.body(id, int64(size)); err != nil {
			return err
		}
	}
	if p.funcs != p.bodies {
		return errf("the module is damaged or truncated: it declares %d functions but holds the code of %d", p.funcs, p.bodies)
	}
	return nil
}

// body reads one section.
func (p *parser) body(id byte, size int64) (err error) {
	switch id {
	case 2, 5, 7:
		if size > maxTable {
			return errf("the module's %s section has %d bytes, more than the limit of %d", p.section, size, maxTable)
		}
	}
	switch id {
	case 2:
		err = p.vector(p.importEntry)
	case 3:
		p.funcs, err = p.uint(32)
	case 5:
		err = p.vector(func() error {
			p.info.MemoryMin, p.info.MemoryMax, err = p.limits()
			return err
		})
	case 7:
		seen := map[string]bool{}
		err = p.vector(func() error { return p.exportEntry(seen) })
	case 10:
		p.bodies, err = p.uint(32)
	}
	if err != nil {
		return err
	}
	switch id {
	case 2, 5, 7:
		if p.pos != p.end {
			return p.damaged("it is longer than its content")
		}
		return nil
	}
	return p.skip(p.end - p.pos)
}

func (p *parser) vector(entry func() error) error {
	n, err := p.uint(32)
	for ; err == nil && n > 0; n-- {
		err = entry()
	}
	return err
}

func (p *parser) exportEntry(seen map[string]bool) error {
	name, err := p.name()
	if err != nil {
		return err
	}
	kind, err := p.byte()
	if err != nil {
		return err
	}
	if kind > byte(KindTag) {
		return p.damaged(fmt.Sprintf("export %q has the unknown kind %d", clip(name, 80), kind))
	}
	if seen[name] {
		return p.damaged(fmt.Sprintf("the name %q is exported twice", clip(name, 80)))
	}
	seen[name] = true
	p.info.Exports = append(p.info.Exports, Export{name, Kind(kind)})
	_, err = p.uint(32)
	return err
}

func (p *parser) importEntry() error {
	module, err := p.name()
	if err != nil {
		return err
	}
	name, err := p.name()
	if err != nil {
		return err
	}
	kind, err := p.byte()
	if err != nil {
		return err
	}
	p.info.Imports = append(p.info.Imports, Import{module, name, Kind(kind)})
	switch Kind(kind) {
	case KindFunc:
		_, err = p.uint(32)
	case KindTable:
		if err = p.valueType(); err == nil {
			_, _, err = p.limits()
		}
	case KindMemory:
		_, _, err = p.limits()
	case KindGlobal:
		if err = p.valueType(); err == nil {
			_, err = p.byte()
		}
	case KindTag:
		if _, err = p.byte(); err == nil {
			_, err = p.uint(32)
		}
	default:
		err = p.damaged(fmt.Sprintf("import %q has the unknown kind %d", clip(module+"."+name, 80), kind))
	}
	return err
}

// valueType skips a value type; 0x63 and 0x64 are followed by a heap type.
func (p *parser) valueType() error {
	b, err := p.byte()
	if err == nil && (b == 0x63 || b == 0x64) {
		for b = 0x80; err == nil && b&0x80 != 0; {
			b, err = p.byte()
		}
	}
	return err
}

func (p *parser) limits() (lo, hi uint64, err error) {
	flags, err := p.byte()
	if err != nil {
		return 0, 0, err
	}
	if flags > 7 {
		return 0, 0, p.damaged(fmt.Sprintf("unknown limits flag %d", flags))
	}
	if lo, err = p.uint(64); err == nil && flags&1 != 0 {
		hi, err = p.uint(64)
	}
	return lo, hi, err
}
