package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"regexp"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

// account is the ServiceAccount of all proxies here.
const account = "proxy"

// authenticating has a controller ask proxies who they are.
func authenticating(c *cluster.Config) { c.Proxies.Authentication = cluster.AuthenticationRequired }

// pod makes a Pod of a Gateway in the namespace default.
func (w *world) pod(name, gateway string) *corev1.Pod {
	w.t.Helper()
	w.Apply(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: account}})
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{extv1.LabelGatewayName: gateway}},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "envoy", Image: "envoy.invalid/envoy"}}},
	}
	if err := w.Client().Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// token is a token of the Pod's ServiceAccount, or else of the proxies', for an audience ("" is the API server's), bound to a Pod if there is one.
func (w *world) token(p *corev1.Pod, audience string) string {
	w.t.Helper()
	request := &authenticationv1.TokenRequest{}
	if p != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID}
	}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	of := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: account}}
	if p != nil {
		of.Namespace, of.Name = p.Namespace, p.Spec.ServiceAccountName
	}
	if err := w.Client().SubResource("token").Create(w.t.Context(), of, request); err != nil {
		w.t.Fatal(err)
	}
	return request.Status.Token
}

// remove deletes a Pod at once.
func (w *world) remove(p *corev1.Pod) {
	w.t.Helper()
	zero := int64(0)
	if err := w.Client().Delete(w.t.Context(), p, &client.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
		w.t.Fatal(err)
	}
}

// trusting is how a client speaks to the replicas, with certificates of its own if it has any.
func (w *world) trusting(own ...tls.Certificate) *tls.Config {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.ca())
	return &tls.Config{RootCAs: pool, ServerName: pki.ServerName(namespace), MinVersion: tls.VersionTLS12, Certificates: own}
}

// stream is a delta ADS stream of a client that says what the test wants.
type stream struct {
	t    *testing.T
	ads  discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	err  error // why it could not be opened
	stop func()
}

// open opens a stream and asks for listeners; with no node it says nothing.
func (r *replica) open(token string, node *corev3.Node, own ...tls.Certificate) *stream {
	r.w.t.Helper()
	conn, err := grpc.NewClient(r.config.XDS.Address, grpc.WithTransportCredentials(credentials.NewTLS(r.w.trusting(own...))))
	if err != nil {
		r.w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*soon)
	stop := func() { cancel(); _ = conn.Close() }
	r.w.t.Cleanup(stop)
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	s := &stream{t: r.w.t, stop: stop}
	if s.ads, err = discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx); err != nil {
		s.err = err
		return s
	}
	if node != nil {
		s.ask(&discoveryv3.DeltaDiscoveryRequest{Node: node, TypeUrl: server.TypeListener})
	}
	return s
}

// ask sends a request. How a stream ended is told by receive.
func (s *stream) ask(r *discoveryv3.DeltaDiscoveryRequest) { _ = s.ads.Send(r) }

// receive is the next response, or how the stream ended.
func (s *stream) receive() (*discoveryv3.DeltaDiscoveryResponse, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.ads.Recv()
}

// served fails the test unless the stream gets an answer.
func (s *stream) served() *stream {
	s.t.Helper()
	if _, err := s.receive(); err != nil {
		s.t.Fatalf("not served: %v", err)
	}
	return s
}

// refused is the status with which the stream ends without an answer.
func (s *stream) refused() *status.Status {
	s.t.Helper()
	defer s.stop()
	response, err := s.receive()
	if err == nil {
		s.t.Fatalf("served: %v", response.TypeUrl)
	}
	return status.Convert(err)
}

// ends waits for the end of a stream that was served.
func (s *stream) ends() *status.Status {
	s.t.Helper()
	for {
		if _, err := s.receive(); err != nil {
			return status.Convert(err)
		}
	}
}

// sealedPath finds a module's address with its secret part.
var sealedPath = regexp.MustCompile(`/modules/[A-Za-z0-9_-]{22}/sha256/`)

// fetch asks the module server of a replica.
func (w *world) fetch(r *replica, path string) (code int, body string) {
	w.t.Helper()
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: w.trusting()}, Timeout: soon}
	defer hc.CloseIdleConnections()
	response, err := hc.Get("https://" + r.config.Modules.Address + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}
