package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
	"github.com/wasmpoint/wasmpoint/controllers/metrics"
	"github.com/wasmpoint/wasmpoint/controllers/peers"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// listeners are opened first, so that a port in use is an error of the start. On those for proxies nothing is answered before
// the cluster is known: the kernel takes connections, and they wait.
type listeners struct {
	xds, modules, peers, admin net.Listener
	all                        []net.Listener
}

func (l *listeners) open(c Config) error {
	for _, at := range []struct {
		field, address string
		into           *net.Listener
	}{
		{"xds", c.XDS.Address, &l.xds}, {"modules", c.Modules.Address, &l.modules},
		{"peers", c.Peers.Address, &l.peers}, {"admin", c.Admin.Address, &l.admin},
	} {
		if at.address == "0" {
			continue
		}
		listener, err := net.Listen("tcp", at.address)
		if err != nil {
			l.close()
			return fmt.Errorf("%s.address: %w", at.field, err)
		}
		*at.into = listener
		l.all = append(l.all, listener)
	}
	return nil
}

func (l *listeners) close() {
	for _, listener := range l.all {
		_ = listener.Close()
	}
}

// serve answers proxies once the engine has the whole cluster, until ctx ends.
func (r *replica) serve(ctx context.Context, fail func(error)) {
	if r.listeners.admin != nil {
		r.serveHTTP(ctx, r.listeners.admin, admin.Handler(r), nil)
	}
	serverTLS, peerTLS, tellTLS, err := r.tls()
	if err != nil {
		fail(err)
		return
	}
	scheme := "http://"
	if serverTLS != nil {
		scheme = "https://"
	}
	identify, more, err := r.identity(ctx)
	if err != nil {
		fail(err)
		return
	}
	path, sealed := r.sealed()
	hooks := metrics.Hooks()
	hooks.Wanted = r.engine.SlotWanted
	x := server.New(server.Options{
		Hub: r.hub, Registry: r.registry, Identify: identify, ModuleCluster: names.ModulesCluster, Logger: r.log,
		WaitForModule: r.c.WaitForModule.Duration, Hooks: hooks,
		ModuleURL: func(digest string, query url.Values) string {
			return scheme + names.ModulesCluster + path(digest) + "?" + query.Encode()
		},
		Admit: r.admit,
	})
	r.serveHTTP(ctx, r.listeners.peers, peers.Handler(r.registry, r.c.Replica, &r.changes, func(f peers.Fetch) {
		_ = x.Served(f.Digest, f.Proxy, f.Complete) // all replicas are told; one knows the proxy
	}), peerTLS)
	select {
	case <-r.source.Ready():
	case <-ctx.Done():
		return
	}
	r.fresh.OnChange(func(fresh bool) {
		x.SetServing(fresh)
		metrics.Fresh(fresh)
	})
	fetches := peers.NewFetches(r.peers, tellTLS, r.log)
	r.spawn(func() { fetches.Run(ctx) })
	r.modules.OnServed(func(digest string, query url.Values, complete bool) {
		if proxy := query.Get(server.QueryProxy); !x.Served(digest, proxy, complete) {
			fetches.Tell(peers.Fetch{Digest: digest, Proxy: proxy, Complete: complete})
		}
	})
	r.serveHTTP(ctx, r.listeners.modules, sealed(r.modules.Handler()), serverTLS)
	options := append(server.GRPCOptions(), more...)
	if serverTLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(serverTLS)))
	}
	g := grpc.NewServer(options...)
	x.Register(g)
	r.spawn(func() {
		<-ctx.Done()
		g.Stop()
	})
	r.log.Info("serving", "xds", r.listeners.xds.Addr().String(), "modules", r.listeners.modules.Addr().String(), "tls", serverTLS != nil, "replica", r.c.Replica)
	if err := g.Serve(r.listeners.xds); err != nil {
		fail(fmt.Errorf("xds: %w", err))
	}
}

// tls gives the configurations for proxies and for peers, as server and as client, nil without TLS.
func (r *replica) tls() (proxies, others, asking *tls.Config, err error) {
	if r.authority == nil {
		return nil, nil, nil, nil
	}
	if proxies, err = r.authority.Server(); err != nil {
		return nil, nil, nil, err
	}
	r.tellCertificates(proxies)
	others, asking, err = r.authority.Peer()
	return proxies, others, asking, err
}

// serveHTTP serves until ctx ends.
func (r *replica) serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, config *tls.Config) {
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"} // Envoy asks for modules in HTTP/1.1
		l = tls.NewListener(l, config)
	}
	h := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	r.spawn(func() { _ = h.Serve(l) }) // ends with Close
	r.spawn(func() {
		<-ctx.Done()
		_ = h.Close()
	})
}
