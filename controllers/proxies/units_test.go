package proxies

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheBackOffDoublesToTenSecondsAndBeginsAgainAfterAQuietLife(t *testing.T) {
	var got []time.Duration
	var d time.Duration
	for range 8 {
		d = nextDelay(d, time.Second)
		got = append(got, d)
	}
	if s := fmt.Sprint(got); s != "[200ms 400ms 800ms 1.6s 3.2s 6.4s 10s 10s]" {
		t.Errorf("got %s", s)
	}
	if d := nextDelay(10*time.Second, 30*time.Second); d != 200*time.Millisecond {
		t.Errorf("after 30 s of life: %s", d)
	}
}

func TestALogIsRotatedBySizeAndOldFilesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "envoy.log")
	r, err := openRotating(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := fmt.Fprintf(r, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "line 4\n", ".1": "line 3\n", ".2": "line 2\n"} {
		if got, _ := os.ReadFile(path + name); string(got) != want {
			t.Errorf("envoy.log%s: %q, want %q", name, got, want)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third old file is kept")
	}
	if _, err := r.Write([]byte("x")); err == nil {
		t.Error("writing to a closed log gives no error")
	}
	again, err := openRotating(path, 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if _, err := again.Write([]byte("line 5\n")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "line 4\nline 5\n" {
		t.Errorf("an existing log is not appended to: %q", got)
	}
}

func TestAnExitIsExplainedByItsLastError(t *testing.T) {
	out := &tail{to: &buffer{}}
	_, _ = fmt.Fprintf(out, "%s\n[x][critical][main] bad config\n[x][info][main] exiting\n", strings.Repeat("noise\n", 2000))
	if got := out.reason(false); got != "[x][critical][main] bad config" {
		t.Errorf("got %q", got)
	}
	out.reset()
	_, _ = fmt.Fprint(out, "one\ntwo\n")
	if got := out.reason(true); got != "two" {
		t.Errorf("without an error line: %q", got)
	}
	if got := out.reason(false); got != "" {
		t.Errorf("a signal is the explanation, and not %q", got)
	}
}

func TestLogLevels(t *testing.T) {
	if l, c, err := ParseLogLevel("warning,wasm:info,upstream:debug"); err != nil || l != "warning" || c != "wasm:info,upstream:debug" {
		t.Errorf("got %q %q %v", l, c, err)
	}
	for in, want := range map[string]string{
		"loud":           `envoy log level "loud": "loud" is none of trace, debug, info, warning, warn, error, critical, off`,
		"info,wasm":      `envoy log level "info,wasm": "wasm" is not COMPONENT:LEVEL, such as wasm:info`,
		"info,wasm:loud": `envoy log level "info,wasm:loud": "wasm:loud" is not COMPONENT:LEVEL, such as wasm:info`,
	} {
		if _, _, err := ParseLogLevel(in); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func TestAnIDThatIsNoFolderNameIsRefused(t *testing.T) {
	s, _ := start(t, Options{EnvoyPath: "unused"})
	for _, id := range []string{"", "..", ".hidden", "a/b", "a b", "-x", "ä"} {
		if err := s.Ensure(id, nil); err == nil {
			t.Errorf("%q is accepted", id)
		}
	}
}

func TestEventsReadAsOneLine(t *testing.T) {
	for want, e := range map[string]Event{
		"envoy started, pid 7":                            {State: Started, PID: 7},
		"envoy exited with code 1, pid 7: bad":            {State: Exited, PID: 7, Code: 1, Log: "bad"},
		"envoy exited by signal: killed, pid 7":           {State: Exited, PID: 7, Code: -1, Signal: "killed"},
		"envoy stopped with code 0, pid 7":                {State: Stopped, PID: 7},
		"envoy starts again in 200ms":                     {State: Restarting, Delay: minDelay},
		"envoy could not be started: file does not exist": {State: Failed, Err: os.ErrNotExist},
	} {
		if got := e.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
