package bookinfo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Listen opens a TCP listener on a loopback HOST:PORT; port 0 takes a free one, an empty address means 127.0.0.1:0.
func Listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("address %q is not a loopback address with a port; write one such as 127.0.0.1:0", addr)
	}
	return net.Listen("tcp", addr)
}

// Server is one stand-in that is being served.
type Server struct {
	addr    *net.TCPAddr
	http    *http.Server
	counter Counter
}

// serve counts every request but those for /health, which ask for the stand-in and not through a proxy.
func serve(addr string, mux *http.ServeMux) (*Server, error) {
	l, err := Listen(addr)
	if err != nil {
		return nil, err
	}
	s := &Server{addr: l.Addr().(*net.TCPAddr)}
	root := http.NewServeMux()
	root.Handle("/", s.counter.Wrap(mux))
	root.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("{\"status\":\"healthy\"}\n"))
	})
	s.http = &http.Server{Handler: root, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Addr is where the server listens, HOST:PORT.
func (s *Server) Addr() string { return s.addr.String() }

// Port is the port of Addr.
func (s *Server) Port() int { return s.addr.Port }

// Counts is how many requests came in so far; those for /health are left out.
func (s *Server) Counts() Counts { return s.counter.Counts() }

// Close lets the requests in flight finish for at most two seconds and then stops the server.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}
