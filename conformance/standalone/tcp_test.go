package standalone_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/status"
)

// TestAServerThatSpeaksFirstIsNotHeldUp: a TCP Service at a waypoint, without plugins, with an HTTP plugin that does not
// fit, and with NETWORK plugins.
func TestAServerThatSpeaksFirstIsNotHeldUp(t *testing.T) {
	mail, err := echo.StartTCP("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mail.Close() })
	w := start(t, map[string]string{
		"mail.yaml": serviceManifest("mail", inMesh, "tcp-mail", portOf(t, mail.Addr())), "waypoint.yaml": waypoint,
	})
	addr := w.service("mail", 9080)
	w.greets(addr, echo.Banner, "text\n")

	w.write("http.yaml", pluginManifest("http", w.module("marker.wasm", "1"), "Service", "mail", "{name: h}", ""))
	row := w.plugin("http", "a verdict", func(p status.PluginRow) bool { return p.Reason != "Reconciling" && len(p.Targets) == 1 })
	if row.Accepted || row.Targets[0].Accepted || row.Targets[0].Reason != "ProtocolMismatch" {
		t.Errorf("an HTTP plugin on a TCP Service: %+v", row)
	}
	t.Log(row.Targets[0].Message)
	w.greets(addr, echo.Banner, "text\n")

	w.write("tcp.wasm", string(wasmtest.TCP(t)))
	network := func(name, config, more string) {
		w.write(name+".yaml", pluginManifest(name, "file://./tcp.wasm", "Service", "mail", config, "  type: NETWORK"+more))
	}
	before := w.dial(addr)
	begin := time.Now()
	network("one", "{name: one, upstream: true}", "\n  priority: 2")
	w.greets(addr, "[one]"+echo.Banner, "[one]text\n")
	t.Logf("NETWORK plugin in force after %s", time.Since(begin).Round(time.Millisecond))
	network("two", "{name: two}", "\n  priority: 1")
	w.greets(addr, "[one]"+echo.Banner, "[one][two]text\n")
	network("two", "{name: two}", "\n  priority: 3")
	w.greets(addr, "[one]"+echo.Banner, "[two][one]text\n")
	for _, p := range []string{"one", "two"} {
		w.plugin(p, "programmed", programmed)
	}
	w.remove("one.yaml")
	w.remove("two.yaml")
	w.greets(addr, echo.Banner, "text\n")
	if got := before.talk(); got != "text\n" {
		t.Errorf("the connection from before all changes answers %q", got)
	}
}

// conversation is an open connection to the TCP backend, whose banner was read.
type conversation struct {
	conn   net.Conn
	lines  *bufio.Reader
	banner string
}

func (w *world) dial(addr string) *conversation {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp", addr, soon)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	c := &conversation{conn: conn, lines: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(soon)); err != nil {
		w.t.Fatal(err)
	}
	if c.banner, err = c.lines.ReadString('\n'); err != nil {
		w.t.Fatalf("the server's first line: %q, %v", c.banner, err)
	}
	return c
}

func (c *conversation) talk() string {
	if _, err := io.WriteString(c.conn, "text\n"); err != nil {
		return err.Error()
	}
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}

// greets waits until new connections get this banner and this answer to "text".
func (w *world) greets(addr, banner, answer string) {
	w.t.Helper()
	w.eventually("the server's greeting", func() (bool, string) {
		conn, err := net.DialTimeout("tcp", addr, soon)
		if err != nil {
			return false, err.Error() // the listener is not open yet
		}
		_ = conn.Close()
		c := w.dial(addr)
		got := c.talk()
		return c.banner == banner && got == answer, strconv.Quote(c.banner + got)
	})
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
