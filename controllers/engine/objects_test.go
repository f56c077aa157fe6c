package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	networkingv1 "github.com/wasmpoint/wasmpoint/apis/networking/v1"
	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// dice makes random objects out of few names, so that they meet each other often.
type dice struct {
	*mathrand.Rand
	generation int64
}

func newDice(seed uint64) *dice { return &dice{Rand: mathrand.New(mathrand.NewPCG(seed, 7))} }

var (
	namespaces   = []string{"default", "b", "istio-system"}
	gatewayNames = []string{"gw", "way"}
	serviceNames = []string{"web", "db"}
	urls         = []string{"oci://r/one:1", "oci://r/two:1", "oci://r/three:1"}
)

// allGateways are the gateways that dice can make.
func allGateways() []types.NamespacedName {
	var out []types.NamespacedName
	for _, ns := range namespaces {
		for _, n := range gatewayNames {
			out = append(out, types.NamespacedName{Namespace: ns, Name: n})
		}
	}
	return out
}

func (d *dice) of(words ...string) string { return words[d.IntN(len(words))] }
func (d *dice) one(in int) bool           { return d.IntN(in) == 0 }
func (d *dice) ns() string                { return d.of(namespaces...) }

func meta(ns, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}
}

func gateway(ns, name, class string, listeners ...gatewayv1.Listener) *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: meta(ns, name)}
	g.Spec.GatewayClassName, g.Spec.Listeners = gatewayv1.ObjectName(class), listeners
	return g
}

func listener(name string, port int32, protocol string) gatewayv1.Listener {
	return gatewayv1.Listener{Name: gatewayv1.SectionName(name), Port: port, Protocol: gatewayv1.ProtocolType(protocol)}
}

func ingress(name string) *gatewayv1.Gateway {
	return gateway("default", name, extv1.ClassIngress, listener("http", 80, "HTTP"))
}

func waypoint(name string) *gatewayv1.Gateway {
	return gateway("default", name, extv1.ClassWaypoint, listener("mesh", 15008, "HBONE"))
}

func service(ns, name string, labels map[string]string, ports ...corev1.ServicePort) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta(ns, name)}
	s.Labels, s.Spec.Ports = labels, ports
	return s
}

func port(name string, number int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number}
}

func slice(ns, name, service string, address string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: meta(ns, name), AddressType: discoveryv1.AddressTypeIPv4}
	s.Labels[discoveryv1.LabelServiceName] = service
	for i, n := range []string{"http", "tcp", "grpc"} {
		number := int32(8000 + i)
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &n, Port: &number})
	}
	s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{address}}}
	return s
}

func route(ns, name, gatewayNS, gateway, serviceNS, service string, port int32) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: meta(ns, name)}
	parent := gatewayv1.Namespace(gatewayNS)
	backend := gatewayv1.Namespace(serviceNS)
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Namespace: &parent, Name: gatewayv1.ObjectName(gateway)}}
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Namespace: &backend, Name: gatewayv1.ObjectName(service), Port: &port},
	}}}}}
	return r
}

func (d *dice) labels() map[string]string {
	l := map[string]string{"team": d.of("red", "blue")}
	if d.one(2) {
		l[extv1.LabelUseWaypoint] = d.of("way", "way", "gw", "none")
		if d.one(2) {
			l[extv1.LabelUseWaypointNamespace] = d.ns()
		}
	}
	return l
}

func (d *dice) gateway() *gatewayv1.Gateway {
	name := d.of(gatewayNames...)
	class := d.of(extv1.ClassIngress, extv1.ClassIngress, "custom", "foreign")
	if name == "way" {
		class = d.of(extv1.ClassWaypoint, extv1.ClassWaypoint, extv1.ClassIngress, "foreign")
	}
	g := gateway(d.ns(), name, class)
	for _, l := range []gatewayv1.Listener{listener("h", 80, "HTTP"), listener("s", 443, "HTTPS"), listener("t", 9000, "TCP"), listener("m", 15008, "HBONE")} {
		if d.one(3) {
			continue
		}
		from := gatewayv1.FromNamespaces(d.of("All", "All", "Same", "Selector"))
		l.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
			From: &from, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": d.of("red", "blue")}},
		}}
		if l.Protocol == gatewayv1.HTTPSProtocolType {
			ns := gatewayv1.Namespace(d.ns())
			l.TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Namespace: &ns, Name: "cert"}}}
		}
		g.Spec.Listeners = append(g.Spec.Listeners, l)
	}
	if d.one(3) {
		g.Annotations[extv1.AnnotationAllowLuaFrom] = "*"
	}
	return g
}

func (d *dice) ports() []corev1.ServicePort {
	var out []corev1.ServicePort
	for i, n := range []string{"http", "tcp", "grpc"} {
		if d.one(3) {
			continue
		}
		p := port(n, int32(80+i))
		if d.one(4) {
			h2c := "kubernetes.io/h2c"
			p.AppProtocol = &h2c
		}
		out = append(out, p)
	}
	return out
}

func (d *dice) plugin() *model.Plugin {
	d.generation++
	p := plugin(d.of("p", "q", "r", "s", "t", "u"), d.of(urls...), d.generation)
	p.Namespace, p.Kind = d.ns(), d.of(extv1.KindWasmPlugin, extv1.KindTrafficExtension)
	for range d.IntN(3) {
		switch d.IntN(4) {
		case 0, 1:
			p.Targets = append(p.Targets, attach.GatewayTarget(types.NamespacedName{Namespace: p.Namespace, Name: d.of(gatewayNames...)}))
		case 2:
			p.Targets = append(p.Targets, attach.ClassTarget(d.of(extv1.ClassIngress, extv1.ClassWaypoint, "custom")))
		case 3:
			p.Targets = append(p.Targets, attach.ServiceTarget(model.ServiceKey{Kind: "Service", Namespace: p.Namespace, Name: d.of(serviceNames...)}))
		}
	}
	p.Phase = model.Phases[d.IntN(4)]
	p.FailStrategy = model.FailStrategy(d.of("FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"))
	if d.one(3) {
		p.Type = model.TypeNetwork
	} else if d.one(4) {
		p.Wasm, p.Lua = nil, "-- "+d.of("x", "y")
	}
	if p.Wasm != nil && d.one(2) {
		p.Wasm.Config = []byte(d.of(`{}`, `{"a":1}`))
	}
	if d.one(3) {
		priority := int32(d.IntN(3))
		p.Priority = &priority
	}
	if d.one(15) {
		p.Invalid = "broken"
	}
	return p
}

// object is anything that an engine takes.
func (d *dice) object() any {
	switch d.IntN(18) {
	case 0, 1:
		return d.gateway()
	case 2:
		c := &gatewayv1.GatewayClass{ObjectMeta: meta("", "custom")}
		c.Spec.ControllerName = gatewayv1.GatewayController(d.of(extv1.ControllerName, extv1.ControllerName, "example.com/other"))
		return c
	case 3, 4:
		return service(d.ns(), d.of(serviceNames...), d.labels(), d.ports()...)
	case 5:
		e := &networkingv1.ServiceEntry{ObjectMeta: meta(d.ns(), d.of(serviceNames...))}
		e.Labels = d.labels()
		e.Spec.Resolution = networkingv1.ResolutionStatic
		if d.one(2) {
			e.Spec.Resolution = networkingv1.ResolutionDNS
		}
		e.Spec.Hosts = []string{"example.com"}
		e.Spec.Ports = []networkingv1.ServicePort{{Number: 80, Name: "http", Protocol: d.of("HTTP", "TCP")}}
		return e
	case 6:
		n := &corev1.Namespace{ObjectMeta: meta("", d.ns())}
		n.Labels = d.labels()
		return n
	case 7:
		return slice(d.ns(), "slice", d.of(serviceNames...), fmt.Sprintf("10.0.0.%d", d.IntN(3)+1))
	case 8:
		return secret(d.ns(), d.IntN(2))
	case 9, 10, 16, 17:
		return route(d.ns(), d.of("r1", "r2"), d.ns(), "gw", d.ns(), d.of(serviceNames...), int32(80+d.IntN(3)))
	case 11:
		g := &gatewayv1.ReferenceGrant{ObjectMeta: meta(d.ns(), "grant")}
		g.Spec.From = []gatewayv1.ReferenceGrantFrom{
			{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: gatewayv1.Namespace(d.ns())},
			{Group: gatewayv1.GroupName, Kind: "Gateway", Namespace: gatewayv1.Namespace(d.ns())},
		}
		g.Spec.To = []gatewayv1.ReferenceGrantTo{{Kind: "Service"}, {Kind: "Secret"}}
		return g
	}
	return d.plugin()
}

// secret is a TLS Secret with one of two key pairs.
func secret(ns string, which int) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: meta(ns, "cert"), Type: corev1.SecretTypeTLS}
	s.Data = keyPairs()[which]
	return s
}

var keyPairs = sync.OnceValue(func() []map[string][]byte {
	var out []map[string][]byte
	for i := range 2 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		out = append(out, map[string][]byte{
			corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
			corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		})
	}
	return out
})
