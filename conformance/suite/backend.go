package suite

import (
	"context"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/echo"
	"github.com/wasmpoint/wasmpoint/conformance/suite/netns"
)

// serve puts a Pod behind a Service: an echo server on a Pod address, an EndpointSlice that says so, and the stand-in for
// ztunnel on the Service's own address. A port whose name begins with tcp speaks the echo's TCP protocol.
func (w *World) serve(key types.NamespacedName) {
	w.t.Helper()
	if w.backends[key] != "" {
		return // applied again
	}
	var service corev1.Service
	w.Get(key, &service)
	if service.Spec.ClusterIP == corev1.ClusterIPNone {
		return // nothing leads to it but its Pods' addresses
	}
	pod := w.address()
	w.backends[key] = pod
	ready := true
	slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	slice.Namespace, slice.Name = key.Namespace, key.Name
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: key.Name}
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{pod}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}}
	must(w.t, netns.AddLocal(service.Spec.ClusterIP+"/32"))
	for _, p := range service.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &p.Port, Protocol: &p.Protocol})
		l := w.listen(pod, p.Port)
		if strings.HasPrefix(p.Name, "tcp") {
			server := echo.ServeTCP(l)
			w.t.Cleanup(func() { _ = server.Close() })
		} else {
			server := echo.ServeHTTP(l)
			w.t.Cleanup(func() { _ = server.Close() })
		}
		go netns.Serve(w.listen(service.Spec.ClusterIP, p.Port), w.ztunnel(captured{"Service", key}, service.Spec.ClusterIP, p.Port))
	}
	must(w.t, w.client.Create(context.Background(), slice))
	w.t.Cleanup(func() {
		if err := w.client.Delete(context.Background(), slice); client.IgnoreNotFound(err) != nil {
			w.t.Errorf("EndpointSlice %s is left over: %v", key, err)
		}
	})
}

// listen listens until the test ends.
func (w *World) listen(ip string, port int32) net.Listener {
	w.t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(int(port))))
	must(w.t, err)
	w.t.Cleanup(func() { _ = l.Close() })
	return l
}

// Gateway is HOST:PORT of a listener of a Gateway ("name" or "namespace/name"). Where the controller makes the proxies, it
// waits for the address.
func (w *World) Gateway(name string, port int) string {
	w.t.Helper()
	if w.onNode {
		return w.at(w.published(name), name, port)
	}
	return w.at(w.gateways[w.of(named(name))], name, port)
}

// Service is HOST:PORT of a Service's own address: through its waypoint, if it has one.
func (w *World) Service(name string, port int) string {
	w.t.Helper()
	var service corev1.Service
	w.Get(w.of(named(name)), &service)
	return w.at(service.Spec.ClusterIP, name, port)
}

// Pod is HOST:PORT of the Pod behind a Service: past any waypoint.
func (w *World) Pod(service string, port int) string {
	w.t.Helper()
	return w.at(w.backends[w.of(named(service))], service, port)
}

func (w *World) at(ip, name string, port int) string {
	w.t.Helper()
	if ip == "" {
		w.t.Fatalf("%s %v: no manifest of this test has it", name, errNoAddress)
	}
	return net.JoinHostPort(ip, strconv.Itoa(port))
}
