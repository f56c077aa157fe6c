package controller

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/conformance/wasmtest"
	"github.com/wasmpoint/wasmpoint/controllers/cluster"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
	"github.com/wasmpoint/wasmpoint/xds/names"
	"github.com/wasmpoint/wasmpoint/xds/server"
)

var elsewhere = types.NamespacedName{Namespace: "default", Name: "other"}

// forged is a token with claims of our own and a signature of nobody.
func forged(audience string, expiry time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return strings.Join([]string{
		part(`{"alg":"ES256"}`), part(fmt.Sprintf(`{"aud":%q,"exp":%d,"sub":"system:serviceaccount:default:proxy"}`, audience, expiry.Unix())), part("signature"),
	}, ".")
}

func TestAProxyIsWhoItsPodsTokenSays(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	r := w.start("a", authenticating).ready()
	pod := w.pod("edge-1", bookinfo.Name)
	w.pod("edge-2", bookinfo.Name)
	stranger := w.pod("other-1", elsewhere.Name)
	good := w.token(pod, bootstrap.TokenAudience)
	me := fakeproxy.Node("edge-1", bookinfo)
	w.eventually("the Pod is known and its token good", func() (bool, string) {
		s := r.open(good, me)
		defer s.stop()
		_, err := s.receive()
		return err == nil, fmt.Sprint(err)
	})
	silent := fakeproxy.Node("edge-1", bookinfo)
	silent.Metadata = nil
	r.open(good, silent).served()

	for _, c := range []struct {
		name, token string
		node        *corev3.Node
		code        codes.Code
		text        string
	}{
		{"no token", "", me, codes.Unauthenticated, "the proxy shows neither a token nor a certificate; start it with the token of its Pod"},
		{"no token and no word", "", nil, codes.Unauthenticated, "the proxy shows neither a token nor a certificate; start it with the token of its Pod"},
		{"a forged token and no word", forged(bootstrap.TokenAudience, time.Now().Add(2*time.Hour)), nil, codes.Unauthenticated, "the API server refuses the token: "},
		{"no token at all", "secret", me, codes.Unauthenticated, "the token is no token of a ServiceAccount; project one with the audience wasmpoint.dev/xds"},
		{"a forged token", forged(bootstrap.TokenAudience, time.Now().Add(time.Hour)), me, codes.Unauthenticated, "the API server refuses the token: "},
		{"an expired token", forged(bootstrap.TokenAudience, time.Now().Add(-time.Minute)), me, codes.Unauthenticated, "the token expired at "},
		{"a token for the API server", w.token(pod, ""), me, codes.Unauthenticated, "not wasmpoint.dev/xds; project a token with this audience"},
		{"a token of no Pod", w.token(nil, bootstrap.TokenAudience), me, codes.Unauthenticated, "the token of system:serviceaccount:default:proxy is not bound to a Pod; "},
		{"a Pod of another Gateway", w.token(stranger, bootstrap.TokenAudience), fakeproxy.Node("other-1", bookinfo), codes.PermissionDenied,
			"the node says that it is a proxy of Gateway default/bookinfo-gateway, but by its Pod default/other-1 it is one of Gateway default/other; "},
		{"the node id of another Pod", good, fakeproxy.Node("edge-2", bookinfo), codes.PermissionDenied,
			`the node id is "edge-2", but the token is of Pod default/edge-1; the id must be the Pod's name`},
	} {
		if s := r.open(c.token, c.node).refused(); s.Code() != c.code || !strings.Contains(s.Message(), c.text) {
			t.Errorf("%s: %s %s, want %s %s", c.name, s.Code(), s.Message(), c.code, c.text)
		}
	}
	for _, token := range strings.Split(good, ".")[1:] {
		if strings.Contains(w.log.String(), token) {
			t.Error("the log has a token")
		}
	}
}

func TestTheStreamsOfAPodEndWithItAlthoughItsTokenIsStillGood(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	r := w.start("a", authenticating).ready()
	pod, stays := w.pod("edge-1", bookinfo.Name), w.pod("edge-2", bookinfo.Name)
	token, node := w.token(pod, bootstrap.TokenAudience), fakeproxy.Node("edge-1", bookinfo)
	other := r.open(w.token(stays, bootstrap.TokenAudience), fakeproxy.Node("edge-2", bookinfo)).served()
	open := r.open(token, node).served()
	w.remove(pod)
	if s := open.ends(); s.Code() != codes.Canceled {
		t.Errorf("the stream ended with %s %s", s.Code(), s.Message())
	}
	if s := r.open(token, node).refused(); s.Code() != codes.Unauthenticated || !strings.Contains(s.Message(), "Pod default/edge-1 is gone") {
		t.Errorf("after the end: %s %s", s.Code(), s.Message())
	}
	again := w.pod("edge-1", bookinfo.Name)
	w.eventually("the new Pod of that name is known", func() (bool, string) {
		s := r.open(token, node).refused()
		return strings.Contains(s.Message(), "Pod default/edge-1 is another one than the token's"), s.Message()
	})
	r.open(w.token(again, bootstrap.TokenAudience), node).served()
	other.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeCluster})
	other.served()
}

func TestAPodThatBecomesAnotherGatewaysLosesItsStreams(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	r := w.start("a", authenticating).ready()
	pod := w.pod("edge-1", bookinfo.Name)
	open := r.open(w.token(pod, bootstrap.TokenAudience), fakeproxy.Node("edge-1", bookinfo)).served()
	pod.Labels["gateway.networking.k8s.io/gateway-name"] = elsewhere.Name
	if err := w.Client().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if s := open.ends(); s.Code() != codes.Canceled {
		t.Errorf("the stream ended with %s %s", s.Code(), s.Message())
	}
}

func TestWithoutTheAPIServerOpenStreamsGoOnAndNewOnesAreUnavailable(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	link := w.Link()
	r := w.start("a", authenticating, func(c *cluster.Config) {
		c.Kubeconfig = link.KubeconfigFor(namespace, "wasmpoint")
	}).ready()
	pod, late := w.pod("edge-1", bookinfo.Name), w.pod("edge-2", bookinfo.Name)
	open := r.open(w.token(pod, bootstrap.TokenAudience), fakeproxy.Node("edge-1", bookinfo)).served()
	token := w.token(late, bootstrap.TokenAudience)
	link.Cut()
	s := r.open(token, fakeproxy.Node("edge-2", bookinfo)).refused()
	if s.Code() != codes.Unavailable || !strings.Contains(s.Message(), "the API server does not say whose the token is: ") {
		t.Errorf("a new stream: %s %s", s.Code(), s.Message())
	}
	open.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeCluster})
	open.served()
	link.Restore()
	w.eventually("a new stream is served", func() (bool, string) {
		s := r.open(token, fakeproxy.Node("edge-2", bookinfo))
		defer s.stop()
		_, err := s.receive()
		return err == nil, fmt.Sprint(err)
	})
}

func TestASlotOfAnotherGatewayIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	w.ApplyYAML([]byte(gatewayYAML(free(t))))
	w.ApplyYAML([]byte(strings.ReplaceAll(gatewayYAML(free(t)), "name: bookinfo-gateway", "name: other")))
	r := w.start("a", authenticating).ready()
	pod := w.pod("edge-1", bookinfo.Name)
	open := r.open(w.token(pod, bootstrap.TokenAudience), fakeproxy.Node("edge-1", bookinfo)).served()
	slot := func(gateway types.NamespacedName) string {
		return names.Slot(model.Scope{Gateway: gateway, Port: 8080}, model.PhaseAuthn)
	}
	for range 2 {
		open.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeExtensionConfig, ResourceNamesSubscribe: []string{slot(elsewhere), names.Prefetch(elsewhere)}})
	}
	open.ask(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: server.TypeExtensionConfig, ResourceNamesSubscribe: []string{slot(bookinfo)}})
	response, err := open.receive()
	if err != nil || len(response.Resources) != 1 || response.Resources[0].Name != slot(bookinfo) {
		t.Fatalf("got %v, %v, want %s alone", response, err, slot(bookinfo))
	}
	for _, name := range []string{slot(elsewhere), names.Prefetch(elsewhere)} {
		w.eventually("the log tells of "+name, func() (bool, string) {
			return strings.Contains(w.log.String(), name), w.log.String()
		})
	}
	if n := strings.Count(w.log.String(), "proxy asks for a slot of another gateway"); n != 2 {
		t.Errorf("it was logged %d times, want once for each name", n)
	}
}

func TestARealEnvoyWithATokenRunsAPluginWhoseModuleNobodyElseFinds(t *testing.T) {
	w := newWorld(t)
	address := free(t)
	w.ApplyYAML([]byte(gatewayYAML(address)))
	r := w.start("a", authenticating).ready()
	pod := w.pod("edge-1", bookinfo.Name)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(w.token(pod, bootstrap.TokenAudience)), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := bootstrap.JSON(bootstrap.Config{
		ID: "edge-1", Gateway: bookinfo, XDS: r.config.XDS.Address, Modules: r.config.Modules.Address, TokenFile: file,
		Admin: testbed.Address(testbed.FreePort(t)), TLS: &bootstrap.TLS{CA: w.ca(), Name: pki.ServerName(namespace)},
	})
	if err != nil {
		t.Fatal(err)
	}
	envoy := testbed.StartEnvoy(t, raw)
	w.answers(address+":8080", 404) // no route
	w.ApplyYAML([]byte(basicAuthYAML(w.basicAuth(), "ok:test")))
	w.answers(address+":8080", 401)
	w.plugin("basic-auth", "is programmed", is("Programmed", "True"))

	digest := fmt.Sprintf("%x", sha256.Sum256(wasmtest.BasicAuth(t)))
	for _, path := range []string{
		"/modules/sha256/" + digest + ".wasm", "/modules/AAAAAAAAAAAAAAAAAAAAAA/sha256/" + digest + ".wasm", "/modules//sha256/" + digest + ".wasm", "/",
	} {
		if code, body := w.fetch(r, path); code != 404 || !strings.Contains(body, "no module here") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for where, log := range map[string]string{"the controller": w.log.String(), "Envoy": envoy.Log()} {
		if path := sealedPath.FindString(log); path != "" {
			t.Errorf("the log of %s has the address %s", where, path)
		}
	}
}
