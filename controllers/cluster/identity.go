package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wasmpoint/wasmpoint/controllers/identity"
	"github.com/wasmpoint/wasmpoint/controllers/metrics"
	"github.com/wasmpoint/wasmpoint/modules"
	"github.com/wasmpoint/wasmpoint/modules/seal"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// identifyFunc tells whose proxy a stream is.
type identifyFunc func(ctx context.Context, node *corev3.Node) (types.NamespacedName, error)

// identity says how streams are known, and what the gRPC server needs for it.
func (r *replica) identity(ctx context.Context) (identifyFunc, []grpc.ServerOption, error) {
	if r.c.Proxies.Authentication == AuthenticationNone {
		r.log.Warn("proxies are not authenticated: whoever reaches the xDS server gets what he asks for; set proxies.authentication to required")
		return func(_ context.Context, node *corev3.Node) (types.NamespacedName, error) {
			return bootstrap.GatewayOf(node)
		}, nil, nil
	}
	if r.authority == nil {
		r.log.Warn("whoever is on this machine can read the tokens of proxies, and fetch their modules: tls.enabled is false")
	}
	config := rest.CopyConfig(r.manager.GetConfig())
	config.QPS, config.RateLimiter = -1, nil // package identity bounds how many questions are under way
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("API server: %w", err)
	}
	a := identity.New(identity.Options{
		Reviews: clientset.AuthenticationV1().TokenReviews(), Pods: r.manager.GetCache(), External: r.external, Refused: metrics.ProxyRefused, Logger: r.log,
	})
	r.admit = a.Admit
	if r.authority != nil {
		r.authority.OnChange(a.CheckCertificates(r.authority.CheckClient))
	}
	if err := a.WatchPods(ctx, r.manager.GetCache()); err != nil {
		return nil, nil, err
	}
	if err := a.WatchExternal(ctx, r.external); err != nil {
		return nil, nil, err
	}
	return a.Identify, []grpc.ServerOption{identity.ServerOption()}, nil
}

// sealed says where modules are, and makes their handler closed to who was not told. Without a CA there is no secret.
func (r *replica) sealed() (path func(digest string) string, handler func(http.Handler) http.Handler) {
	if r.authority == nil {
		return modules.Path, func(h http.Handler) http.Handler { return h }
	}
	s := seal.New(r.authority.ModuleKeys, metrics.ModuleRefused)
	return s.Path, s.Handler
}

// tellCertificates logs and counts the clients that are refused because of their certificate. That ends the handshake, so
// nobody else hears of them, and they hear no reason.
func (r *replica) tellCertificates(c *tls.Config) {
	verify := c.VerifyConnection
	c.VerifyConnection = func(s tls.ConnectionState) error {
		err := verify(s)
		if err != nil {
			metrics.ProxyRefused(identity.ReasonBadCert)
			r.log.Warn("proxy refused", "certificate", identity.Shown(s.PeerCertificates[0]), "error", err)
		}
		return err
	}
}
