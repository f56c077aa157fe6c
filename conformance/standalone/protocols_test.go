package standalone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
)

const protocolRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: all
spec:
  parentRefs:
  - {name: edge}
  rules:
  - matches: [{path: {type: PathPrefix, value: /grpc.health.v1.Health}}]
    backendRefs: [{name: calls, port: 9080}]
  - matches: [{path: {type: PathPrefix, value: /h2}}]
    backendRefs: [{name: h2, port: 9080}]
  - backendRefs: [{name: echo, port: 9080}]
`

// TestPluginsRunOnGRPCAndH2CAndWebSockets attaches an HTTP plugin at a gateway and at three Services of a waypoint.
func TestPluginsRunOnGRPCAndH2CAndWebSockets(t *testing.T) {
	web, err := echo.StartHTTP("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	calls, err := echo.StartGRPC("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	w := start(t, map[string]string{
		"edge.yaml": edgeGateway + protocolRoutes, "waypoint.yaml": waypoint,
		"echo.yaml":  serviceManifest("echo", inMesh, "http", portOf(t, web.Addr())),
		"h2.yaml":    serviceManifest("h2", inMesh, "h2c", portOf(t, web.Addr())),
		"calls.yaml": serviceManifest("calls", inMesh, "grpc", portOf(t, calls.Addr())),
	})
	marker := w.module("marker.wasm", "1")
	w.write("edge-plugin.yaml", pluginManifest("at-edge", marker, "Gateway", "edge", "{name: edge}", ""))
	w.plugin("at-edge", "programmed", programmed)
	for _, s := range []string{"echo", "h2", "calls"} {
		w.write(s+"-plugin.yaml", pluginManifest("at-"+s, marker, "Service", s, fmt.Sprintf("{name: %s}", s), ""))
		w.plugin("at-"+s, "programmed", programmed)
	}
	edge := w.gateway("edge")
	for _, c := range []struct{ name, addr, plugin string }{
		{"gateway", edge, "edge"}, {"waypoint", w.service("calls", 9080), "calls"},
	} {
		t.Run("gRPC, unary and streamed, at the "+c.name, func(t *testing.T) { callGRPC(t, c.addr, c.plugin) })
	}
	for _, c := range []struct{ name, addr, plugin string }{
		{"gateway", edge, "edge"}, {"waypoint", w.service("h2", 9080), "h2"},
	} {
		t.Run("h2c at the "+c.name, func(t *testing.T) { callH2C(t, c.addr, c.plugin) })
	}
	for _, c := range []struct{ name, addr, plugin string }{
		{"gateway", edge, "edge"}, {"waypoint", w.service("echo", 9080), "echo"},
	} {
		t.Run("a WebSocket at the "+c.name, func(t *testing.T) { callWebSocket(t, w, c.addr, c.plugin) })
	}
}

func callGRPC(t *testing.T, addr, plugin string) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var header metadata.MD
	health := healthv1.NewHealthClient(conn)
	answer, err := health.Check(ctx, &healthv1.HealthCheckRequest{}, grpc.Header(&header), grpc.WaitForReady(true))
	if err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("unary: %v, %v", answer, err)
	}
	if got := strings.Join(header.Get("x-plugins-response"), ","); got != plugin {
		t.Errorf("plugins %q, want %q", got, plugin)
	}
	watch, err := health.Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := watch.Recv(); err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("streamed: %v, %v", answer, err)
	}
	_, err = health.Check(ctx, &healthv1.HealthCheckRequest{Service: "unknown"})
	if err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("the status of a failed call has to come through, got %v", err)
	}
}

func callH2C(t *testing.T, addr, plugin string) {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: soon}).Get("http://" + addr + "/h2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var seen echo.Answer
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 || seen.Protocol != "HTTP/2.0" || seen.Headers.Get("x-plugins") != plugin {
		t.Errorf("%s to the client, %s to the backend, plugins %q", resp.Proto, seen.Protocol, seen.Headers.Get("x-plugins"))
	}
}

func callWebSocket(t *testing.T, w *world, addr, plugin string) {
	url := "ws://" + addr + echo.WebSocketPath
	ws, err := websocket.Dial(url, "", "http://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if err := ws.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	talk := func(m string) {
		t.Helper()
		var got string
		if err := websocket.Message.Send(ws, m); err != nil {
			t.Fatal(err)
		}
		if err := websocket.Message.Receive(ws, &got); err != nil || got != m {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	talk("hello")
	// A change of the plugin does not end the connection.
	before, kind, target := plugin, "Service", plugin
	if plugin == "edge" {
		kind = "Gateway"
	}
	w.write(plugin+"-plugin.yaml", pluginManifest("at-"+plugin, "file://./marker.wasm", kind, target, "{name: "+plugin+"2}", ""))
	w.eventually("the changed plugin", func() (bool, string) {
		got := upgrade(t, addr)
		return got == before+"2", got
	})
	talk("still here")
}

// upgrade opens a WebSocket and returns the plugins that the answer shows.
func upgrade(t *testing.T, addr string) string {
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+echo.WebSocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "http://" + addr,
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(k, v)
	}
	resp, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Status
	}
	return strings.Join(resp.Header.Values("x-plugins-response"), ",")
}
