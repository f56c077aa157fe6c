package eventlog

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
)

func TestALogLineReadsWell(t *testing.T) {
	var b strings.Builder
	cut := func() string {
		defer b.Reset()
		_, rest, _ := strings.Cut(b.String(), " ")
		return rest
	}
	l := slog.New(NewHandler(&b))
	for _, c := range []struct {
		name string
		log  func()
		want string
	}{
		{"plain", func() { l.Info("wasmplugin default/a: deleted") }, "INFO  wasmplugin default/a: deleted\n"},
		{"with values", func() { l.Warn("no", "error", errors.New("not found"), "n", 3, "empty", "") }, "WARN  no error=\"not found\" n=3 empty=\"\"\n"},
		{"with groups", func() { l.WithGroup("a").With("b", 1).Info("x", slog.Group("c", "d", 2)) }, "INFO  x a.b=1 a.c.d=2\n"},
		{"several lines", func() { l.Error("first\n  second\n") }, "ERROR first\n      second\n"},
		{"debug is left out", func() { l.Debug("x") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.log()
			if got := cut(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestTheHandlerKeepsSlogsRules reads the lines back in the form that slogtest asks for.
func TestTheHandlerKeepsSlogsRules(t *testing.T) {
	var b strings.Builder
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b.Reset()
		return NewHandler(&b)
	}, func(t *testing.T) map[string]any { return parse(b.String()) })
}

func parse(line string) map[string]any {
	out := map[string]any{}
	fields := strings.Fields(line)
	if strings.Count(fields[0], ":") == 2 {
		out[slog.TimeKey], fields = fields[0], fields[1:]
	}
	out[slog.LevelKey], out[slog.MessageKey] = fields[0], fields[1]
	for _, f := range fields[2:] {
		key, value, _ := strings.Cut(f, "=")
		at := out
		path := strings.Split(key, ".")
		for _, g := range path[:len(path)-1] {
			if at[g] == nil {
				at[g] = map[string]any{}
			}
			at = at[g].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	return out
}
