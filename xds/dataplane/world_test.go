package dataplane

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/routes"
	"github.com/wasmpoint/wasmpoint/controllers/store"
)

var local = netip.MustParseAddr("127.0.0.1")

// world is a store with objects read from YAML; it is the Backends of a builder.
type world struct {
	*store.Store
	t *testing.T
}

func (w world) Destination(name types.NamespacedName, port int32) *Destination {
	svc := w.Service(name)
	if svc == nil {
		return nil
	}
	for _, p := range svc.Spec.Ports {
		if p.Port == port {
			d := ServiceDestination(svc, w.SlicesOfService(name), port, protocolOf(p.Name))
			return &d
		}
	}
	return nil
}

// protocolOf is the short form of the real rule: tests name their ports by protocol.
func protocolOf(name string) Protocol {
	switch p := Protocol(name); p {
	case HTTP, HTTP2, GRPCWeb:
		return p
	default:
		return TCP
	}
}

func newWorld(t *testing.T, manifests string) world {
	t.Helper()
	w := world{store.New(), t}
	for _, doc := range strings.Split(manifests, "\n---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatal(err)
		}
		var object any
		switch kind.Kind {
		case "Gateway":
			object = &gatewayv1.Gateway{}
		case "HTTPRoute":
			object = &gatewayv1.HTTPRoute{}
		case "Service":
			object = &corev1.Service{}
		case "Secret":
			object = &corev1.Secret{}
		default:
			t.Fatalf("kind %q", kind.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		w.put(object)
	}
	return w
}

func (w world) put(object any) {
	w.t.Helper()
	if _, _, err := w.Put(object); err != nil {
		w.t.Fatal(err)
	}
}

// service adds a Service with the port's protocol as its name, and one endpoint.
func (w world) service(name string, port int32, protocol Protocol, endpoint string) {
	w.t.Helper()
	w.put(&corev1.Service{
		ObjectMeta: meta(name), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: string(protocol), Port: port}}},
	})
	w.put(slice(name, string(protocol), endpoint))
}

func slice(service, portName, endpoint string) *discoveryv1.EndpointSlice {
	at := netip.MustParseAddrPort(endpoint)
	number := int32(at.Port())
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: meta(service + "-1"), AddressType: discoveryv1.AddressTypeIPv4,
		Ports:     []discoveryv1.EndpointPort{{Name: &portName, Port: &number}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{at.Addr().String()}}},
	}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	return s
}

// compile gives the resources of the world's Gateway and a function from its ports to those that the proxy listens on.
func (w world) compile() (*routes.Result, []Resource, map[int32]uint32) {
	w.t.Helper()
	gw := w.Gateway(gateway)
	res := routes.Compile(routes.Input{Gateway: gw, Routes: w.RoutesOfGateway(gateway)}, w)
	ports := map[int32]uint32{}
	for _, p := range res.Ports {
		ports[p.Port] = freePort(w.t)
	}
	return res, Ingress(IngressInput{
		Gateway: gateway, Addresses: []netip.Addr{local}, ListenPort: func(p int32) uint32 { return ports[p] }, Ports: res.Ports,
	}, w), ports
}

// backend is a server that tells who it is and what it got.
func backend(t *testing.T, name string, change func(*http.Server)) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("upgrade") == "websocket" {
			upgraded(t, rw)
			return
		}
		rw.Header().Set("backend", name)
		rw.Header().Set("trailer", "grpc-status")
		defer rw.Header().Set("grpc-status", "0")
		rw.Header().Set("server", "mine")
		rw.Header().Set("saw-type", r.Header.Get("content-type"))
		_, _ = fmt.Fprintf(rw, "%s %s %s host=%s\n", r.Proto, r.Method, r.URL.RequestURI(), r.Host)
		keys := make([]string, 0, len(r.Header))
		for k := range r.Header {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			_, _ = fmt.Fprintf(rw, "%s: %s\n", strings.ToLower(k), strings.Join(r.Header[k], "|"))
		}
		if r.URL.Path == "/big" {
			_, _ = rw.Write(make([]byte, bigAnswer))
		}
	}))
	if change != nil {
		change(s.Config)
	}
	s.Start()
	t.Cleanup(s.Close)
	u, _ := url.Parse(s.URL)
	return u.Host
}

// upgraded answers as a WebSocket server does, and echoes.
func upgraded(t *testing.T, rw http.ResponseWriter) {
	c, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"))
	_, _ = io.Copy(c, buffered)
}

// answer is what came back.
type answer struct {
	status  int
	backend string
	header  http.Header
	body    string
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: gateway.Namespace, Name: name}
}

func portString(p uint32) string { return strconv.Itoa(int(p)) }
