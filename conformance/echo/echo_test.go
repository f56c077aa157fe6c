package echo

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
)

func startHTTP(t *testing.T) *HTTP {
	t.Helper()
	h, err := StartHTTP("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestOnePortEchoesHTTP1AndH2C(t *testing.T) {
	h := startHTTP(t)
	one, two := &http.Protocols{}, &http.Protocols{}
	one.SetHTTP1(true)
	two.SetUnencryptedHTTP2(true)
	for want, p := range map[string]*http.Protocols{"HTTP/1.1": one, "HTTP/2.0": two} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+h.Addr()+"/a/b?c=d", strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "reviews:9080"
		r.Header.Set(bookinfo.MarkHeader, bookinfo.MarkPassed)
		transport := &http.Transport{Protocols: p}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var a Answer
		err = json.NewDecoder(resp.Body).Decode(&a)
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || a.Protocol != want || a.Method != http.MethodPut || a.Path != "/a/b?c=d" || a.Host != "reviews:9080" ||
			a.Body != "text" || a.Headers.Get(bookinfo.MarkHeader) != bookinfo.MarkPassed {
			t.Errorf("%s: %+v, %v", want, a, err)
		}
	}
	if got, want := h.Counts(), (bookinfo.Counts{Total: 2, Passed: 2}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAWebSocketEchoesMessagesUntilTheBackendCloses(t *testing.T) {
	h := startHTTP(t)
	ws, err := websocket.Dial("ws://"+h.Addr()+WebSocketPath, "", "http://"+h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	for _, m := range []string{"one", strings.Repeat("two", 10000)} {
		var got string
		if err := websocket.Message.Send(ws, m); err != nil {
			t.Fatal(err)
		}
		if err := websocket.Message.Receive(ws, &got); err != nil || got != m {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if got, want := h.Counts(), (bookinfo.Counts{Total: 1, Unmarked: 1}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	var got string
	if err := websocket.Message.Receive(ws, &got); err == nil {
		t.Error("the WebSocket outlives the backend")
	}
}

func TestGRPCHealthAnswersAndCounts(t *testing.T) {
	g, err := StartGRPC("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(g.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client := healthv1.NewHealthClient(conn)
	marked := metadata.AppendToOutgoingContext(ctx, bookinfo.MarkHeader, bookinfo.MarkNotRequired)
	if r, err := client.Check(marked, &healthv1.HealthCheckRequest{}); err != nil || r.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", r, err)
	}
	watch, err := client.Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		if r, err := watch.Recv(); err != nil || r.Status != want {
			t.Errorf("%v, %v, want %v", r, err, want)
		}
		g.Health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	}
	if got, want := g.Counts(), (bookinfo.Counts{Total: 2, NotRequired: 1, Unmarked: 1}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheTCPServerSpeaksFirst(t *testing.T) {
	s, err := StartTCP("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); err != nil || line != Banner {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := c.Write([]byte("text\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); err != nil || line != "text\n" {
		t.Errorf("%q, %v", line, err)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadString('\n'); err == nil {
		t.Error("the connection outlives the backend")
	}
}

func TestOnlyLoopbackAddressesAreServed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "localhost:0", "127.0.0.1"} {
		if _, err := StartTCP(addr); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
