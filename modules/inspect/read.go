package inspect

import (
	"errors"
	"io"
	"unicode/utf8"
)

func (p *parser) name() (string, error) {
	n, err := p.uint(32)
	if err != nil {
		return "", err
	}
	if int64(n) > p.end-p.pos {
		return "", p.damaged("a name is longer than the section")
	}
	b := make([]byte, n) // bounded: n fits into the section, and the section into maxTable
	got, err := io.ReadFull(p.r, b)
	p.pos += int64(got)
	if err != nil {
		return "", p.fail(err)
	}
	if !utf8.Valid(b) {
		return "", p.damaged("a name is not UTF-8")
	}
	return string(b), nil
}

// uint reads an unsigned LEB128 number of at most the given bits.
func (p *parser) uint(bits uint) (uint64, error) {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b, err := p.byte()
		if err != nil {
			return 0, err
		}
		if left := bits - shift; left < 7 && uint64(b&0x7f)>>left != 0 || shift >= bits {
			return 0, p.damaged("a number is too long")
		}
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, nil
		}
		if shift+7 >= bits {
			return 0, p.damaged("a number is too long")
		}
	}
}

func (p *parser) byte() (byte, error) {
	if p.pos >= p.end {
		return 0, p.damaged("it is shorter than its content")
	}
	b, err := p.r.ReadByte()
	if err != nil {
		return 0, p.fail(err)
	}
	p.pos++
	return b, nil
}

func (p *parser) skip(n int64) error {
	got, err := io.CopyN(io.Discard, p.r, n)
	p.pos += got
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// fail turns the end of the input into "truncated" and remembers other errors as errors of the source.
func (p *parser) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errf("the module is truncated: it ends after %d bytes, within its %s section", p.pos, p.section)
	}
	p.readErr = err
	return err
}

func (p *parser) damaged(what string) error {
	return errf("the module is damaged: in its %s section near byte %d, %s", p.section, p.pos, what)
}
