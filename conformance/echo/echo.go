// Package echo has backends that say what reached them: HTTP/1.1, h2c and WebSocket on one port, gRPC health, and a TCP
// protocol in which the server speaks first.
package echo

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/websocket"

	"github.com/wasmpoint/wasmpoint/conformance/bookinfo"
)

// Answer is the JSON that the HTTP backend answers every request with.
type Answer struct {
	Method string `json:"method"`
	// Path is the path with its query, as it came.
	Path    string      `json:"path"`
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
	// Backend is the address at which the request arrived, HOST:PORT.
	Backend string `json:"backend"`
	// Protocol is the backend's own, such as HTTP/1.1 or HTTP/2.0.
	Protocol string `json:"protocol"`
	Body     string `json:"body,omitempty"`
}

// WebSocketPath upgrades to a WebSocket that sends every message back.
const WebSocketPath = "/ws"

// HTTP is a running HTTP backend.
type HTTP struct {
	bookinfo.Counter
	addr string
	http *http.Server
	// sockets are the WebSockets, which an http.Server does not close.
	sockets openConns
}

// StartHTTP serves on a loopback HOST:PORT; port 0 or "" takes a free one.
func StartHTTP(addr string) (*HTTP, error) {
	l, err := bookinfo.Listen(addr)
	if err != nil {
		return nil, err
	}
	return ServeHTTP(l), nil
}

// ServeHTTP serves on a listener, which may be on any address; Close closes it.
func ServeHTTP(l net.Listener) *HTTP {
	h := &HTTP{addr: l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.Handle(WebSocketPath, websocket.Server{Handler: func(ws *websocket.Conn) {
		if !h.sockets.add(ws) {
			return
		}
		defer h.sockets.remove(ws)
		for {
			var message string
			if websocket.Message.Receive(ws, &message) != nil || websocket.Message.Send(ws, message) != nil {
				return
			}
		}
	}})
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	h.http = &http.Server{Handler: h.Wrap(mux), Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = h.http.Serve(l) }()
	return h
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	backend := ""
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		backend = a.String()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Answer{
		Method: r.Method, Path: r.RequestURI, Host: r.Host, Headers: r.Header, Protocol: r.Proto, Body: string(body), Backend: backend,
	})
}

// Addr is where the backend listens, HOST:PORT.
func (h *HTTP) Addr() string { return h.addr }

// Close stops the backend: requests under way have two seconds, WebSockets none.
func (h *HTTP) Close() error {
	h.sockets.close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if h.http.Shutdown(ctx) != nil {
		return h.http.Close()
	}
	return nil
}

// openConns remembers connections, so that they can be closed together.
type openConns struct {
	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// add is false when everything was closed already.
func (o *openConns) add(c net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if o.conns == nil {
		o.conns = map[net.Conn]bool{}
	}
	o.conns[c] = true
	return true
}

func (o *openConns) remove(c net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, c)
}

func (o *openConns) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		_ = c.Close()
	}
}
