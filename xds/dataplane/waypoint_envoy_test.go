package dataplane

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

func scopeOf(service string, port int32) model.Scope {
	return model.Scope{Gateway: gateway, Port: port, Service: model.ServiceKey{Kind: "Service", Namespace: gateway.Namespace, Name: service}}
}

// through dials the waypoint's PROXY listener the way ztunnel does, for a connection from client to destination.
func through(t *testing.T, port uint32, client, destination string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+portString(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	from, to := netip.MustParseAddrPort(client), netip.MustParseAddrPort(destination)
	family := "TCP4"
	if to.Addr().Is6() {
		family = "TCP6"
	}
	if _, err := fmt.Fprintf(c, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port()); err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, c net.Conn, path, headers string) (*http.Response, string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: web\r\n%s\r\n", path, headers); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// bigAnswer is more than the buffers on its way hold.
const bigAnswer = 8 << 20

// serve is a TCP server that leaves its connections to a function.
func serve(t *testing.T, connection func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go connection(c)
		}
	}()
	return l.Addr().String()
}

// greeter is a server that speaks first, as MySQL's and SMTP's do, and then sends back what it gets.
func greeter(t *testing.T) string {
	return serve(t, func(c net.Conn) {
		_, _ = c.Write([]byte("hello\n"))
		_, _ = io.Copy(c, c)
		_ = c.Close()
	})
}

func TestARealEnvoyServesAsAWaypoint(t *testing.T) {
	w := newWorld(t, "kind: Service\nmetadata: {name: none, namespace: shop}")
	w.service("web", 80, HTTP, backend(t, "web", nil))
	w.service("db", 3306, TCP, greeter(t))
	w.service("dump", 9999, TCP, serve(t, func(c net.Conn) { _, _ = c.Write(make([]byte, bigAnswer)); _ = c.Close() }))
	w.service("bound", 80, HTTP, backend(t, "bound", nil))
	w.service("grpc", 80, HTTP2, backend(t, "grpc", h2c))
	destination := func(name string, port int32) Destination {
		return *w.Destination(types.NamespacedName{Namespace: gateway.Namespace, Name: name}, port)
	}
	proxy, bound, grpc := freePort(t), freePort(t), freePort(t)
	resources := Waypoint(gateway, []netip.Addr{local}, proxy, false)
	resources = append(resources, WaypointService(ServiceInput{
		Scope: scopeOf("web", 80), Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00::1")},
		Destination: destination("web", 80),
	})...)
	resources = append(resources, WaypointService(ServiceInput{
		Scope: scopeOf("db", 3306), Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.2")}, Destination: destination("db", 3306),
	})...)
	resources = append(resources, WaypointService(ServiceInput{
		Scope: scopeOf("dump", 9999), Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.3")}, Destination: destination("dump", 9999),
	})...)
	resources = append(resources, WaypointService(ServiceInput{
		Scope: scopeOf("bound", 80), Addresses: []netip.Addr{local}, Bind: true, ListenPort: bound, Destination: destination("bound", 80),
	})...)
	resources = append(resources, WaypointService(ServiceInput{
		Scope: scopeOf("grpc", 80), Addresses: []netip.Addr{local}, Bind: true, ListenPort: grpc, Destination: destination("grpc", 80),
	})...)
	for _, r := range resources {
		tellPeer(t, r)
	}
	startEnvoy(t, Sort(resources))

	t.Run("a connection reaches the Service that the client asked for", func(t *testing.T) {
		resp, body := get(t, through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80"), "/x", "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("backend") != "web" || !strings.Contains(body, "GET /x host=web") {
			t.Errorf("got %d\n%s", resp.StatusCode, body)
		}
		for _, want := range []string{"x-forwarded-for: 9.9.9.9\n", "x-forwarded-proto: https\n", "x-request-id: mine\n", "x-peer: 10.0.0.7\n"} {
			if !strings.Contains(body, want) {
				t.Errorf("a waypoint must pass %q on:\n%s", want, body)
			}
		}
	})
	t.Run("the last answer of a connection arrives whole, and then its end", func(t *testing.T) {
		for range 20 {
			c := through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80")
			_, _ = fmt.Fprint(c, "GET /big HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); err != nil || len(b) < bigAnswer {
				t.Fatalf("got %d bytes, %v", len(b), err)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Fatalf("got %d bytes more, %v; want the end of the connection", n, err)
			}
		}
	})
	t.Run("what a TCP server sends before it ends the connection arrives whole", func(t *testing.T) {
		for range 20 {
			c := through(t, proxy, "10.0.0.7:1234", "10.96.0.3:9999")
			if b, err := io.ReadAll(c); err != nil || len(b) != bigAnswer {
				t.Fatalf("got %d bytes, %v", len(b), err)
			}
		}
	})
	t.Run("every address of a Service leads to it", func(t *testing.T) {
		if resp, _ := get(t, through(t, proxy, "[fd00::7]:1234", "[fd00::1]:80"), "/", ""); resp.Header.Get("backend") != "web" {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
	t.Run("a server that speaks first is heard", func(t *testing.T) {
		c := through(t, proxy, "10.0.0.7:1234", "10.96.0.2:3306")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || line != "hello\n" {
			t.Errorf("got %q, %v", line, err)
		}
	})
	t.Run("a WebSocket passes", func(t *testing.T) {
		c := through(t, proxy, "10.0.0.7:1234", "10.96.0.1:80")
		_, _ = fmt.Fprint(c, "GET /ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %v, %v", resp, err)
		}
		_, _ = fmt.Fprint(c, "ping\n")
		if line, err := r.ReadString('\n'); err != nil || line != "ping\n" {
			t.Errorf("got %q, %v", line, err)
		}
	})
	onOwnAddresses(t, bound, grpc)
	refused(t, proxy)
}

// refused are connections that lead nowhere.
func refused(t *testing.T, proxy uint32) {
	for name, destination := range map[string]string{
		"an unknown address is refused": "10.96.0.9:80", "another port of a known address is refused": "10.96.0.1:81",
		"the prefetch listener cannot be reached": "127.0.0.1:1", "the waypoint's own address is refused": fmt.Sprintf("127.0.0.1:%d", proxy),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each is waited for
			c := through(t, proxy, "10.0.0.7:1234", destination)
			_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
			if b, err := io.ReadAll(c); len(b) > 0 || isTimeout(err) {
				t.Errorf("got %q, %v; want a closed connection", b, err)
			}
		})
	}
	t.Run("a connection without the PROXY protocol is refused", func(t *testing.T) {
		c, err := net.Dial("tcp", "127.0.0.1:"+portString(proxy))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: 10.96.0.1\r\n\r\n"))
		if b, err := io.ReadAll(c); len(b) > 0 || isTimeout(err) {
			t.Errorf("got %q, %v; want a closed connection", b, err)
		}
	})
}

// onOwnAddresses are Services that listen on addresses of their own (standalone).
func onOwnAddresses(t *testing.T, bound, grpc uint32) {
	t.Run("a bound Service answers on its own address", func(t *testing.T) {
		if got := request(t, bound, "GET", "bound", "/"); got.backend != "bound" {
			t.Errorf("got %d", got.status)
		}
	})
	t.Run("HTTP/2 without TLS passes with its trailers, as gRPC needs it", func(t *testing.T) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Protocols: protocols}}
		resp, err := client.Post("http://127.0.0.1:"+portString(grpc)+"/call", "application/grpc", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Trailer.Get("grpc-status") != "0" || !strings.HasPrefix(string(body), "HTTP/2.0 POST /call") {
			t.Errorf("got trailers %v, %v and\n%s", resp.Trailer, err, body)
		}
	})
}

// tellPeer makes a connection manager tell the backend what it takes for the client's address, which is what plugins see.
func tellPeer(t *testing.T, r Resource) {
	t.Helper()
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return
	}
	for _, f := range l.FilterChains[0].Filters {
		if f.Name != managerName {
			continue
		}
		m := managerOf(t, f)
		m.GetRouteConfig().RequestHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{
			Key: "x-peer", Value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
		}}}
		f.ConfigType = managerFilter(m).ConfigType
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
