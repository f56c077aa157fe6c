package netns

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// answerInCapitals answers each connection when the question has ended.
func answerInCapitals(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			all, _ := io.ReadAll(c)
			_, _ = io.WriteString(c, strings.ToUpper(string(all)))
		}()
	}
}

func TestAConnectionCrossesOverTheUnixSocketAndEndsOneWayAtATime(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go answerInCapitals(server)
	socket := filepath.Join(t.TempDir(), "s")
	out, err := Outside(socket, server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := Within("127.0.0.1:0", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c, err := net.Dial("tcp", in.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "question"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || string(answer) != "QUESTION" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
}

func TestARelayWithoutItsOtherHalfIsAnError(t *testing.T) {
	if l, err := Within("127.0.0.1:0", filepath.Join(t.TempDir(), "nothing")); err == nil {
		l.Close()
		t.Error("no error")
	}
}
