package eventlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// NewHandler is a log handler for people in front of a terminal: "15:04:05.000 INFO  text key=value", in local time as the
// record carries it. Info and above are written.
func NewHandler(w io.Writer) slog.Handler { return NewHandlerAt(w, slog.LevelInfo) }

// NewHandlerAt writes records of a level and above.
func NewHandlerAt(w io.Writer, level slog.Level) slog.Handler {
	return &handler{out: &output{w: w}, level: level}
}

// output is shared by all handlers made from one, so that lines never mix.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

type handler struct {
	out   *output
	level slog.Level
	// attrs is already formatted; prefix is the open groups, "a.b.".
	attrs  string
	prefix string
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(r.Time.Format("15:04:05.000 "))
	}
	fmt.Fprintf(&b, "%-5s %s%s", r.Level, r.Message, h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		write(&b, h.prefix, a)
		return true
	})
	// Further lines of a message are indented, so that every line that begins with a time is an event.
	line := strings.ReplaceAll(strings.TrimRight(b.String(), "\n"), "\n", "\n    ") + "\n"
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := io.WriteString(h.out.w, line)
	return err
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		write(&b, h.prefix, a)
	}
	return &handler{out: h.out, level: h.level, attrs: h.attrs + b.String(), prefix: h.prefix}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{out: h.out, level: h.level, attrs: h.attrs, prefix: h.prefix + name + "."}
}

// write appends " key=value", quoted where it has to be.
func write(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			write(b, prefix, inner)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	text := v.String()
	if text == "" || strings.ContainsAny(text, " \t\n\"=") {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + prefix + a.Key + "=" + text)
}
